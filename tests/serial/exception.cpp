#include <multiprocessing/serial/exception.hpp>

#include <filesystem>
#include <thread>

#include <support/catch.hpp>

namespace mp = multiprocessing;
namespace serial = multiprocessing::serial;

namespace {

/// What f throws, sent and received.
template <typename F>
serial::thrown travelled(F&& f) {
    try {
        f();
    } catch (...) {
        return serial::unpack<serial::thrown>(serial::pack(serial::capture(std::current_exception(), "somewhere")));
    }
    throw std::logic_error("nothing was thrown");
}

/// Throws again what `f` throws, and looks at it in the three ways in which it can be caught.
template <typename E, typename F, typename Check>
void check_arrives_as(F&& f, const std::string& type_name, const std::string& message, Check&& check) {
    const auto it = travelled(f);
    INFO("thrown as " << type_name);
    try {
        serial::rethrow(it);
    } catch (const E& e) {
        check(e);
    }
    try {
        serial::rethrow(it);
    } catch (const mp::RemoteError& e) {
        CHECK(e.type_name() == type_name);
        CHECK(e.message() == message);
        CHECK(e.traceback() == "somewhere");
        CHECK(e.pid() == mp::os::pid());
    }
    try {
        serial::rethrow(it);
    } catch (const std::exception& e) {
        CHECK(e.what() == message);
    }
}

template <typename E>
void check_text(const std::string& type_name) {
    check_arrives_as<E>([] { throw E("what happened"); }, type_name, "what happened",
                        [](const E& e) { CHECK(std::string(e.what()) == "what happened"); });
}

template <typename E>
void check_no_text(const std::string& type_name) {
    check_arrives_as<E>([] { throw E(); }, type_name, E().what(), [](const E&) {});
}

struct bad_page : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Its text, and what its function adds.
struct bad_line : bad_page {
    explicit bad_line(const std::string& what, int number = 0) : bad_page(what), line(number) {}
    int line;
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(line);
    }
};

/// Nobody knows it.
struct bad_word : bad_line {
    using bad_line::bad_line;
};

/// No std::exception: an aggregate.
struct refusal {
    int code = 0;
    std::string reason;
};

struct last_word final : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Refuses to be made from its own text.
struct moody : std::runtime_error {
    explicit moody(const std::string& what) : std::runtime_error(what) {
        if (what == "no") throw std::logic_error("a bad mood");
    }
};

/// Nests by itself.
struct nesting : std::runtime_error, std::nested_exception {
    using std::runtime_error::runtime_error;
};

struct mystery {};

} // namespace

TEST_CASE("the standard's exceptions arrive as themselves", "[serial][exception]") {
    check_text<std::logic_error>("std::logic_error");
    check_text<std::domain_error>("std::domain_error");
    check_text<std::invalid_argument>("std::invalid_argument");
    check_text<std::length_error>("std::length_error");
    check_text<std::out_of_range>("std::out_of_range");
    check_text<std::runtime_error>("std::runtime_error");
    check_text<std::range_error>("std::range_error");
    check_text<std::overflow_error>("std::overflow_error");
    check_text<std::underflow_error>("std::underflow_error");
    check_no_text<std::exception>("std::exception");
    check_no_text<std::bad_alloc>("std::bad_alloc");
    check_no_text<std::bad_array_new_length>("std::bad_array_new_length");
    check_no_text<std::bad_cast>("std::bad_cast");
    check_no_text<std::bad_any_cast>("std::bad_any_cast");
    check_no_text<std::bad_typeid>("std::bad_typeid");
    check_no_text<std::bad_exception>("std::bad_exception");
    check_no_text<std::bad_function_call>("std::bad_function_call");
    check_no_text<std::bad_optional_access>("std::bad_optional_access");
    check_no_text<std::bad_variant_access>("std::bad_variant_access");
    check_no_text<std::bad_weak_ptr>("std::bad_weak_ptr");
    check_arrives_as<std::system_error>(
        [] { throw std::system_error(ENOENT, std::generic_category(), "cannot open a.txt"); }, "std::system_error",
        "cannot open a.txt: No such file or directory",
        [](const std::system_error& e) { CHECK(e.code() == std::errc::no_such_file_or_directory); });
}

TEST_CASE("our exceptions arrive as themselves", "[serial][exception]") {
    check_text<mp::ProcessError>("multiprocessing::ProcessError");
    check_text<mp::AuthenticationError>("multiprocessing::AuthenticationError");
    check_text<mp::TimeoutError>("multiprocessing::TimeoutError");
    check_text<mp::CancelledError>("multiprocessing::CancelledError");
    check_text<mp::NotPortableError>("multiprocessing::NotPortableError");
    check_text<mp::OwnerDiedError>("multiprocessing::OwnerDiedError");
    check_text<mp::BrokenBarrierError>("multiprocessing::BrokenBarrierError");
    check_text<mp::Empty>("multiprocessing::Empty");
    check_text<mp::Full>("multiprocessing::Full");
    check_text<mp::EOFError>("multiprocessing::EOFError");
    check_text<mp::BrokenPipeError>("multiprocessing::BrokenPipeError");
    check_text<mp::StopIteration>("multiprocessing::StopIteration");
    check_text<mp::ValueError>("multiprocessing::ValueError");
    check_text<mp::TypeError>("multiprocessing::TypeError");
    check_arrives_as<mp::BufferTooShort>(
        [] { throw mp::BufferTooShort("too short", std::vector(3, std::byte{7})); }, "multiprocessing::BufferTooShort", "too short",
        [](const mp::BufferTooShort& e) { CHECK(e.message() == std::vector(3, std::byte{7})); });
    check_arrives_as<mp::WorkerLostError>([] { throw mp::WorkerLostError("lost", 4711, -9, 17, "frames"); },
                                          "multiprocessing::WorkerLostError", "lost", [](const mp::WorkerLostError& e) {
                                              CHECK(e.pid() == 4711);
                                              CHECK(e.exitcode() == -9);
                                              CHECK(e.item() == 17);
                                              CHECK(e.backtrace() == "frames");
                                          });
    check_arrives_as<mp::ProcessError>([] { throw mp::TimeoutError("late"); }, "multiprocessing::TimeoutError", "late",
                                       [](const mp::ProcessError&) {});
}

TEST_CASE("registered exceptions arrive as themselves", "[serial][exception]") {
    mp::register_exception<bad_page>();
    mp::register_exception<bad_line>();
    mp::register_exception<bad_line>(); // again: nothing happens
    mp::register_exception<refusal>();

    check_text<bad_page>("(anonymous namespace)::bad_page");
    check_arrives_as<bad_line>([] { throw bad_line("unreadable", 12); }, "(anonymous namespace)::bad_line", "unreadable",
                               [](const bad_line& e) { CHECK(e.line == 12); });
    check_arrives_as<refusal>([] { throw refusal{3, "tired"}; }, "(anonymous namespace)::refusal",
                              "an object of type (anonymous namespace)::refusal", [](const refusal& e) {
                                  CHECK(e.code == 3);
                                  CHECK(e.reason == "tired");
                              });
}

TEST_CASE("an unregistered exception arrives as its nearest known base", "[serial][exception]") {
    mp::register_exception<bad_page>();
    mp::register_exception<bad_line>();
    // registered base before derived, and the other way round: the nearer one is found
    check_arrives_as<bad_line>([] { throw bad_word("misspelt", 5); }, "(anonymous namespace)::bad_word", "misspelt",
                               [](const bad_line& e) { CHECK(e.line == 5); });

    struct local : std::out_of_range {
        using std::out_of_range::out_of_range;
    };
    const auto it = travelled([] { throw local("here"); });
    CHECK_THROWS_AS(serial::rethrow(it), std::out_of_range);

    const auto file = travelled([] { static_cast<void>(std::filesystem::file_size("/nonexistent/file")); });
    try {
        serial::rethrow(file);
    } catch (const std::system_error& e) {
        CHECK(e.code() == std::errc::no_such_file_or_directory);
        CHECK_THAT(e.what(), testing::contains("/nonexistent/file"));
    }
}

TEST_CASE("an exception that only the sender knows arrives as a base", "[serial][exception]") {
    mp::register_exception<bad_page>();
    auto it = travelled([] { throw bad_page("torn"); });
    REQUIRE(it.guises.size() >= 2);
    it.guises.front().type = "from::elsewhere";
    try {
        serial::rethrow(it);
    } catch (const std::runtime_error& e) {
        CHECK(std::string(e.what()) == "torn");
    }
}

TEST_CASE("what is no class arrives by its value", "[serial][exception]") {
    check_arrives_as<serial::held<int>>([] { throw 42; }, "int", "42", [](const serial::held<int>& e) { CHECK(e.value() == 42); });
    check_arrives_as<std::string>([] { throw "text"; }, "char const*", "text", [](const std::string& e) { CHECK(e == "text"); });
    check_arrives_as<std::string>([] { throw std::string("text"); }, "std::string", "text",
                                  [](const std::string& e) { CHECK(e == "text"); });
    check_arrives_as<mp::RemoteError>([] { throw 1UL << 40; }, "unsigned long", "1099511627776", [](const mp::RemoteError&) {});
    check_arrives_as<mp::RemoteError>([] { throw true; }, "bool", "true", [](const mp::RemoteError&) {});
    check_arrives_as<mp::RemoteError>([] { throw mystery(); }, "(anonymous namespace)::mystery",
                                      "an object of type (anonymous namespace)::mystery", [](const mp::RemoteError&) {});
}

TEST_CASE("a final exception is held", "[serial][exception]") {
    mp::register_exception<last_word>();
    check_arrives_as<serial::held<last_word>>(
        [] { throw last_word("amen"); }, "(anonymous namespace)::last_word", "amen",
        [](const serial::held<last_word>& e) { CHECK(std::string(e.value().what()) == "amen"); });
}

TEST_CASE("an exception that can't be made again arrives as a base", "[serial][exception]") {
    mp::register_exception<moody>();
    CHECK_THROWS_AS(serial::rethrow(travelled([] { throw moody("yes"); })), moody);
    auto it = travelled([] { throw moody("yes"); });
    it.message = "no";
    CHECK_THROWS_AS(serial::rethrow(it), std::runtime_error);

    mp::register_exception<bad_line>();
    it = travelled([] { throw bad_line("unreadable", 12); });
    it.guises.front().content.clear();
    CHECK_THROWS_AS(serial::rethrow(it), std::runtime_error);

    struct category : std::error_category {
        [[nodiscard]] const char* name() const noexcept override { return "kitchen"; }
        [[nodiscard]] std::string message(int) const override { return "fire"; }
    };
    static const category kitchen;
    it = travelled([] { throw std::system_error(1, kitchen); });
    try {
        serial::rethrow(it);
    } catch (const std::runtime_error& e) {
        CHECK(std::string(e.what()) == "fire");
        CHECK(dynamic_cast<const std::system_error*>(&e) == nullptr); // there is no such category here
    }
}

TEST_CASE("causes arrive with what they caused", "[serial][exception]") {
    mp::register_exception<bad_line>();
    const auto it = travelled([] {
        try {
            try {
                throw std::out_of_range("innermost");
            } catch (...) {
                std::throw_with_nested(bad_line("inner", 3));
            }
        } catch (...) {
            std::throw_with_nested(std::runtime_error("outer"));
        }
    });
    CHECK(it.type_name == "std::runtime_error");
    try {
        serial::rethrow(it);
    } catch (const std::runtime_error& outer) {
        CHECK(std::string(outer.what()) == "outer");
        try {
            std::rethrow_if_nested(outer);
            FAIL("there is no cause");
        } catch (const bad_line& inner) {
            CHECK(inner.line == 3);
            CHECK_THROWS_AS(std::rethrow_if_nested(inner), std::out_of_range);
        }
    }

    // without a cause there is none: rethrow_if_nested() would end the program
    try {
        serial::rethrow(travelled([] { throw std::runtime_error("alone"); }));
    } catch (const std::exception& e) {
        CHECK(dynamic_cast<const std::nested_exception*>(&e) == nullptr);
    }
}

TEST_CASE("an exception that nests by itself keeps its cause", "[serial][exception]") {
    mp::register_exception<nesting>();
    const auto it = travelled([] {
        try {
            throw std::out_of_range("cause");
        } catch (...) {
            throw nesting("effect");
        }
    });
    try {
        serial::rethrow(it);
    } catch (const nesting& e) {
        CHECK_THROWS_AS(e.rethrow_nested(), std::out_of_range);
    }
}

TEST_CASE("a long chain of causes ends somewhere", "[serial][exception]") {
    std::exception_ptr chain = std::make_exception_ptr(std::runtime_error("0"));
    for (int i = 1; i < 300; ++i) {
        try {
            try {
                std::rethrow_exception(chain);
            } catch (...) {
                std::throw_with_nested(std::runtime_error(std::to_string(i)));
            }
        } catch (...) {
            chain = std::current_exception();
        }
    }
    const auto it = travelled([&] { std::rethrow_exception(chain); });
    CHECK(it.message == "299");
    CHECK_THROWS_AS(serial::rethrow(it), std::runtime_error);
}

TEST_CASE("what comes from afar keeps its origin", "[serial][exception]") {
    mp::register_exception<bad_line>();
    auto first = travelled([] { throw bad_line("unreadable", 12); });
    first.pid = 4711;
    first.traceback = "there";
    const auto second = travelled([&] { serial::rethrow(first); });
    CHECK(second.type_name == "(anonymous namespace)::bad_line");
    CHECK(second.pid == 4711);
    CHECK(second.traceback == "there");
    try {
        serial::rethrow(second);
    } catch (const bad_line& e) {
        CHECK(e.line == 12);
    }
}

TEST_CASE("exceptions travel as values", "[serial][exception]") {
    STATIC_REQUIRE(mp::Serializable<std::exception_ptr>);
    const std::vector<std::exception_ptr> here{std::make_exception_ptr(std::out_of_range("far")), nullptr};
    const auto there = serial::unpack<std::vector<std::exception_ptr>>(serial::pack(here));
    REQUIRE(there.size() == 2);
    CHECK_THROWS_AS(std::rethrow_exception(there[0]), std::out_of_range);
    CHECK(there[1] == nullptr);
}

TEST_CASE("forged exceptions do no harm", "[serial][exception]") {
    for (const char* type : {"std::system_error", "multiprocessing::WorkerLostError", "int", "std::string", "nonsense", ""}) {
        serial::thrown forged;
        forged.message = "hello";
        forged.guises = {{type, std::vector(3, std::byte{0xff})}, {type, {}}};
        try {
            serial::rethrow(forged);
        } catch (const std::exception& e) {
            CHECK(std::string(e.what()) == "hello");
        }
    }
    serial::thrown deep;
    for (int i = 0; i < 900; ++i) {
        serial::thrown outer;
        outer.message = std::to_string(i);
        outer.cause.push_back(std::move(deep));
        deep = std::move(outer);
    }
    CHECK_THROWS_AS(serial::rethrow(serial::unpack<serial::thrown>(serial::pack(deep))), mp::RemoteError);
}

TEST_CASE("nothing at all is captured as something", "[serial][exception]") {
    CHECK(serial::capture(nullptr).message == "no exception");
    CHECK_THROWS_AS(serial::rethrow(serial::capture(nullptr)), mp::RemoteError);
}

TEST_CASE("registering is safe from many threads", "[serial][exception]") {
    struct one : std::runtime_error {
        using std::runtime_error::runtime_error;
    };
    struct two : std::runtime_error {
        using std::runtime_error::runtime_error;
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([] {
            mp::register_exception<one>();
            mp::register_exception<two>();
            static_cast<void>(serial::capture(std::make_exception_ptr(one("1"))));
        });
    for (auto& each : threads) each.join();
    CHECK_THROWS_AS(serial::rethrow(travelled([] { throw one("1"); })), one);
    CHECK_THROWS_AS(serial::rethrow(travelled([] { throw two("2"); })), two);
}
