#include <multiprocessing/serial/callable.hpp>

#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <multiprocessing/os/child.hpp>
#include <multiprocessing/serial/types/handle.hpp>

#include <support/callable_elsewhere.hpp>
#include <support/catch.hpp>

#include "samples.hpp"

#if !defined(CALLABLE_FIXTURE) || !defined(OTHER_CALLABLE_FIXTURE)
#    error "define CALLABLE_FIXTURE and OTHER_CALLABLE_FIXTURE: the shared libraries of tests/serial/callable.cmake"
#endif

namespace mp = multiprocessing;
namespace os = multiprocessing::os;
namespace serial = multiprocessing::serial;
using testing::called;
using testing::contains;
using testing::dice;

namespace {

/// What called() says after the call has been there and back.
template <typename... T>
std::string after(const T&... call) {
    called() = "nothing";
    serial::run_call(serial::pack_call(call...));
    return called();
}

void plain(int n) { called() = "plain " + std::to_string(n); }
void quiet(int n) noexcept { called() = "quiet " + std::to_string(n); }
void nothing() { called() = "nothing given"; }
int returning(int n) {
    called() = "returning";
    return n;
}
void overloaded(int) { called() = "int"; }
void overloaded(const std::string&) { called() = "string"; }
void by_text(const char* text) { called() = text == nullptr ? "null" : "text " + std::string(text); }
void by_view(std::string_view text) { called() = "view " + std::string(text); }
void by_reference(const std::vector<int>& numbers, std::string&& text) {
    called() = std::to_string(numbers.size()) + text;
    std::string(std::move(text)).clear();
}
void by_pointer(std::unique_ptr<int> number) { called() = "unique " + std::to_string(*number); }
void with_callback(int (*f)(int), int n) { called() = "callback " + std::to_string(f != nullptr ? f(n) : -1); }
int thrice(int n) { return 3 * n; }
template <typename... T>
void any_number(T... values) {
    called() = "any " + std::to_string((0 + ... + values));
}
void failing() { throw std::out_of_range("as it should"); }

struct functor {
    int number = 0;
    std::vector<std::string> words;
    void operator()(int n) const { called() = "functor " + std::to_string(number + n) + " " + words.at(0); }
};

struct changing {
    int calls = 0;
    void operator()() { called() = "changing " + std::to_string(++calls); }
};

class private_functor {
public:
    private_functor() = default;
    explicit private_functor(int n) : n_(n) {}
    void operator()() const { called() = "private functor " + std::to_string(n_); }
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(n_);
    }

private:
    int n_ = 0;
};

struct empty_functor {
    void operator()(int n) const { called() = "empty " + std::to_string(n); }
};

class empty_and_closed {
public:
    explicit empty_and_closed(int) {}
    void operator()() const { called() = "empty and closed"; }
};

struct namesake {
    int n = 0;
    void operator()() const { called() = "here " + std::to_string(n); }
};

struct rvalue_only {
    int n = 0;
    void operator()() && { called() = "rvalue " + std::to_string(n); }
};

struct animal {
    int legs = 0;
    virtual ~animal() = default;
    virtual void walk(int steps) { called() = "animal " + std::to_string(legs * steps); }
    void stand() const { called() = "stand " + std::to_string(legs); }
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(legs);
    }
};
struct other_base {
    long padding = 7;
    virtual ~other_base() = default;
    virtual void jump() { called() = "jump " + std::to_string(padding); }
};
struct bird : animal, other_base {
    void walk(int steps) override { called() = "bird " + std::to_string(2 * legs * steps); }
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(legs, padding);
    }
};

struct opaque {
    int* where = nullptr;
    void operator()() const {}
};

/// A library loaded for as long as this lives.
class library {
public:
    explicit library(const char* path) : handle_(::dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
        INFO(::dlerror());
        REQUIRE(handle_ != nullptr);
    }
    ~library() { ::dlclose(handle_); }
    library(const library&) = delete;
    library& operator=(const library&) = delete;

    template <typename F>
    [[nodiscard]] F* symbol(const char* name) const {
        return reinterpret_cast<F*>(::dlsym(handle_, name));
    }

private:
    void* handle_;
};

/// Runs f in a child and returns whether it returned true there. What f loads stays there.
template <typename F>
bool in_a_child(F f) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        bool good = false;
        try {
            good = f();
        } catch (const std::exception& e) {
            std::fprintf(stderr, "%s\n", e.what());
        }
        ::_exit(good ? 0 : 1);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// The place in a packed call is what it begins with.
serial::message with_place(const serial::message& call, const std::function<void(os::place&)>& change) {
    serial::reader in(call.bytes);
    os::place where = serial::detail::read_place(in);
    const std::size_t rest = in.position();
    change(where);
    serial::writer out;
    serial::write(out, where.build_id);
    serial::write(out, where.path);
    out.number(where.offset);
    serial::message changed;
    changed.bytes = std::move(out).take();
    changed.bytes.insert(changed.bytes.end(), call.bytes.begin() + static_cast<std::ptrdiff_t>(rest), call.bytes.end());
    return changed;
}

} // namespace

static_assert(mp::Portable<void (*)(int)> && mp::Portable<void (*)(int) noexcept> && mp::Portable<int (*)(const char*, ...)>);
static_assert(mp::Portable<decltype(&animal::walk)> && mp::Portable<decltype(&animal::legs)>);
static_assert(mp::Portable<functor> && mp::Portable<empty_functor> && mp::Portable<empty_and_closed> && mp::Portable<const char*>);
static_assert(!mp::Portable<opaque> && !mp::Portable<int*> && !mp::Portable<std::function<void()>> && !mp::Portable<char*>);
static_assert(!mp::Portable<std::reference_wrapper<int>>);

TEST_CASE("functions are called with what was given", "[serial][callable]") {
    CHECK(after(&plain, 5) == "plain 5");
    CHECK(after(&quiet, 5) == "quiet 5");
    CHECK(after(&nothing) == "nothing given");
    CHECK(after(&returning, 5) == "returning");
    CHECK(after(static_cast<void (*)(int)>(&overloaded), 1) == "int");
    CHECK(after(static_cast<void (*)(const std::string&)>(&overloaded), "x") == "string");
    CHECK(after(&testing::function_elsewhere, 3) == "function elsewhere 3");
    CHECK(after(&testing::function_template<long>, 3L) == "template long 3");
    CHECK(after(&any_number<int, short, long>, 1, short{2}, 3L) == "any 6");
    CHECK(after(&by_reference, std::vector<int>{1, 2, 3}, std::string("!")) == "3!");
    CHECK(after(&by_pointer, std::make_unique<int>(4)) == "unique 4");
    CHECK_THROWS_WITH(after(&failing), "as it should");
    CHECK_THROWS_AS(after(static_cast<void (*)()>(nullptr)), mp::ValueError);
}

TEST_CASE("texts that are given by pointer or view are copied", "[serial][callable]") {
    serial::message call, other, none;
    {
        std::string text(100, 'x');
        const char* const pointer = text.c_str();
        call = serial::pack_call(&by_text, pointer);
        other = serial::pack_call(&by_view, std::string_view(text));
        none = serial::pack_call(&by_text, static_cast<const char*>(nullptr));
        text.assign(100, 'y');
    }
    serial::run_call(call);
    CHECK(called() == "text " + std::string(100, 'x'));
    serial::run_call(other);
    CHECK(called() == "view " + std::string(100, 'x'));
    serial::run_call(none);
    CHECK(called() == "null");
}

TEST_CASE("lambdas and functors are called", "[serial][callable]") {
    CHECK(after([] { called() = "lambda"; }) == "lambda");
    CHECK(after([](int n, const std::string& text) { called() = text + std::to_string(n); }, 1, std::string("lambda ")) == "lambda 1");
    CHECK(after([](auto... values) { called() = "generic " + std::to_string((0 + ... + values)); }, 1, 2L, short{3}) == "generic 6");
    CHECK(after([](int n) noexcept { called() = "noexcept " + std::to_string(n); }, 1) == "noexcept 1");
}

TEST_CASE("state goes along with its functor", "[serial][callable]") {
    CHECK(after(functor{3, {"words"}}, 4) == "functor 7 words");
    CHECK(after(changing{5}) == "changing 6");
    CHECK(after(private_functor(6)) == "private functor 6");
    CHECK(after(empty_functor(), 7) == "empty 7");
    CHECK(after(empty_and_closed(0)) == "empty and closed");
    CHECK(after(rvalue_only{8}) == "rvalue 8");
}

TEST_CASE("functions may be arguments", "[serial][callable]") {
    CHECK(after(&with_callback, &thrice, 4) == "callback 12");
    CHECK(after(&with_callback, static_cast<int (*)(int)>(nullptr), 4) == "callback -1");
    CHECK(after([](auto f, int n) { f(n); }, empty_functor(), 4) == "empty 4");
    CHECK(after([](auto f) { f(3); }, [](int n) { called() = "inner " + std::to_string(n); }) == "inner 3");
}

TEST_CASE("member functions are called, virtual ones as they were overridden", "[serial][callable]") {
    bird sparrow;
    sparrow.legs = 2;
    sparrow.padding = 9;
    animal cat;
    cat.legs = 4;
    CHECK(after(&animal::stand, cat) == "stand 4");
    CHECK(after(&animal::walk, cat, 3) == "animal 12");
    CHECK(after(&animal::walk, sparrow, 3) == "bird 12");
    CHECK(after(&bird::walk, sparrow, 1) == "bird 4");
    CHECK(after(static_cast<void (bird::*)()>(&other_base::jump), sparrow) == "jump 9"); // with an adjustment, in another table
    CHECK(after([](auto member, const animal& it) { called() = std::to_string(it.*member); }, &animal::legs, cat) == "4");
    CHECK(after(&animal::stand, std::make_unique<animal>(cat)) == "stand 4");
    CHECK_THROWS_AS(after(static_cast<void (animal::*)() const>(nullptr), cat), mp::ValueError);
    CHECK(after([](void (animal::*method)(int)) { called() = method == nullptr ? "null" : "?"; },
                static_cast<void (animal::*)(int)>(nullptr)) == "null");
    CHECK(after([](int animal::*member) { called() = member == nullptr ? "null" : "?"; }, static_cast<int animal::*>(nullptr)) == "null");
}

TEST_CASE("of two things with one name each is called by its own", "[serial][callable]") {
    CHECK(after(namesake{1}) == "here 1");
    serial::run_call(testing::call_of_namesake());
    CHECK(called() == "elsewhere 2");
    serial::run_call(testing::call_of_lambda_elsewhere());
    CHECK(called() == "lambda elsewhere 2");
    CHECK(after(testing::inline_functor{1}) == "inline functor 1");
    serial::run_call(testing::call_of_inline_functor());
    CHECK(called() == "inline functor 2");
}

TEST_CASE("what can't be sent says what to do", "[serial][callable]") {
    int local = 3;
    const auto capturing = [local] { static_cast<void>(local); };
    CHECK_THROWS_AS(serial::pack_call(capturing), mp::NotPortableError);
    CHECK_THROWS_WITH(serial::pack_call(capturing), contains("a lambda with captures") && contains("by fork") && contains("mp::bind(f, args...)"));
    CHECK_THROWS_WITH(serial::pack_call([&local] { ++local; }), contains("a lambda with captures"));
    CHECK_THROWS_WITH(serial::pack_call(std::function<void(int)>(&plain), 3),
                      contains("std::function<void") && contains("doesn't say what is in it"));
    CHECK_THROWS_WITH(serial::pack_call(opaque()), contains("opaque") && contains("a raw pointer means nothing"));
    CHECK_THROWS_WITH(serial::pack_call([](int, int*) {}, 1, &local),
                      contains("argument 2, of type int*") && contains("a raw pointer means nothing in another process"));
    CHECK_THROWS_WITH(serial::pack_call([](int&) {}, std::ref(local)), contains("argument 1") && contains("a reference means nothing"));
    CHECK_THROWS_WITH(serial::pack_call([](auto&&) {}, capturing), contains("argument 1") && contains("captures"));
    CHECK_THROWS_WITH(serial::pack_call([](const std::vector<opaque>&) {}, std::vector<opaque>()),
                      contains("argument 1") && contains("is in it"));

    void* const generated = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_THROWS_WITH(serial::pack_call(reinterpret_cast<void (*)()>(reinterpret_cast<std::uintptr_t>(generated))),
                      contains("no program or shared library"));
    ::munmap(generated, 4096);
}

TEST_CASE("a function of a library that was loaded at run time is called", "[serial][callable]") {
    const library plugin(CALLABLE_FIXTURE);
    auto* const twice = plugin.symbol<int(int)>("fixture_twice");
    REQUIRE(twice != nullptr);
    CHECK(after(&with_callback, twice, 4) == "callback 8");
    CHECK(after(twice, 4) == "nothing"); // it returns what nobody takes

    // What the library packs, with types and copies of the library's own code that nobody else can name.
    serial::message call;
    plugin.symbol<void(int, serial::message*)>("fixture_pack")(0, &call);
    serial::run_call(call);
    CHECK(plugin.symbol<const char*()>("fixture_said")() == std::string("hidden 1 text"));
    plugin.symbol<void(int, serial::message*)>("fixture_pack")(1, &call);
    serial::run_call(call);
    CHECK(plugin.symbol<const char*()>("fixture_said")() == std::string("a lambda 3"));
}

TEST_CASE("a library that isn't loaded is, where a call needs it, and refused where it is another build", "[serial][callable]") {
    serial::message of_function, of_library;
    {
        const library plugin(CALLABLE_FIXTURE);
        of_function = serial::pack_call(&with_callback, plugin.symbol<int(int)>("fixture_twice"), 4);
        plugin.symbol<void(int, serial::message*)>("fixture_pack")(0, &of_library);
    }
    // In children, for what is loaded stays, and some compilers' libraries can't be unloaded at all.
    const auto loaded = [] { return os::build_id_of(os::absolute_path(CALLABLE_FIXTURE)).has_value(); };
    if (loaded()) {
        WARN("this library can't be unloaded");
        return;
    }
    CHECK(in_a_child([&] {
        serial::run_call(of_function);
        return called() == "callback 8" && loaded();
    }));
    CHECK(in_a_child([&] {
        serial::run_call(of_library);
        return loaded();
    }));
    // Whoever only reads a function loads nothing.
    serial::writer out;
    {
        const library plugin(CALLABLE_FIXTURE);
        serial::write_portable(out, plugin.symbol<int(int)>("fixture_twice"));
    }
    const auto bytes = std::move(out).take();
    serial::reader in(bytes);
    CHECK_THROWS_WITH(serial::take_portable<int (*)(int)>(in), contains("which isn't loaded here: link the program with it"));
    CHECK_FALSE(loaded());

    // The same path, another build.
    const std::string other_path = os::absolute_path(OTHER_CALLABLE_FIXTURE);
    const auto moved = with_place(of_library, [&](os::place& where) {
        CHECK(where.build_id == "1111111111111111");
        where.path = other_path;
    });
    CHECK(in_a_child([&] {
        try {
            serial::run_call(moved);
        } catch (const mp::NotPortableError& e) {
            const std::string text = e.what();
            return text.find("1111111111111111") != std::string::npos && text.find("2222222222222222") != std::string::npos;
        }
        return false;
    }));
}

TEST_CASE("another build is refused, and says which", "[serial][callable]") {
    const auto call = serial::pack_call(&plain, 5);
    const auto other = with_place(call, [](os::place& where) { where.build_id = "0123456789abcdef"; });
    CHECK_THROWS_AS(serial::run_call(other), mp::NotPortableError);
    CHECK_THROWS_WITH(serial::run_call(other), contains("was built otherwise here") && contains("0123456789abcdef") && contains(os::build_id()));
    const auto elsewhere = with_place(call, [](os::place& where) {
        where.build_id = "0123456789abcdef";
        where.path = "/nowhere/lib.so";
    });
    CHECK_THROWS_WITH(serial::run_call(elsewhere), contains("/nowhere/lib.so (build id 0123456789abcdef), which isn't loaded here: "));
}

TEST_CASE("no number that comes from outside is jumped to", "[serial][callable]") {
    const auto call = serial::pack_call(&plain, 5);
    called() = "nothing";
    // Code, data, the gap between, beyond: nothing there is an entry.
    const auto code = os::locate(reinterpret_cast<const void*>(&plain));
    REQUIRE(code.has_value());
    for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{8}, code->offset, ~std::uint64_t{0}, ~std::uint64_t{0} - 31,
                                       std::uint64_t{1} << 40})
        CHECK_THROWS_AS(serial::run_call(with_place(call, [&](os::place& where) { where.offset = offset; })), mp::ProcessError);
    // A forged entry, in memory that anybody may have written.
    static std::array<std::uint64_t, 5> forged{};
    std::memcpy(forged.data(), &serial::detail::entry_of<&serial::detail::run_as<void (*)(int), int>>, sizeof forged);
    REQUIRE(os::locate_constant(&serial::detail::entry_of<&serial::detail::run_as<void (*)(int), int>>, 40).has_value());
    REQUIRE_FALSE(os::locate_constant(forged.data(), sizeof forged).has_value());
    std::uint64_t base = 0;
    os::detail::each_module([&](const dl_phdr_info& program) {
        base = program.dlpi_addr;
        return true;
    });
    CHECK_THROWS_AS(serial::run_call(with_place(call, [&](os::place& where) { where.offset = reinterpret_cast<std::uintptr_t>(forged.data()) - base; })),
                    mp::ProcessError);
    // A right entry of another signature, or said to be another function.
    static const auto pack_entry = [] {
        serial::writer out;
        serial::write_entry<&thrice>(out);
        return std::move(out).take();
    };
    auto bytes = pack_entry();
    {
        serial::reader in(bytes);
        CHECK(serial::read_entry<int(int)>(in)(4) == 12);
    }
    {
        serial::reader in(bytes);
        CHECK_THROWS_WITH(serial::read_entry<void(serial::reader&)>(in), contains("no function to call is where one is said to be"));
    }
    bytes.back() ^= std::byte{1};
    serial::reader in(bytes);
    CHECK_THROWS_AS(serial::read_entry<int(int)>(in), mp::ProcessError);
    CHECK(called() == "nothing");
}

TEST_CASE("bytes that are no call are refused before anything is called", "[serial][callable]") {
    dice d(dice::seed());
    INFO("SERIAL_SEED=" << dice::seed());
    // Of calls whose parts are data: a pointer among them that points elsewhere into the code is what place.hpp says it is.
    const auto calls = {serial::pack_call(functor{3, {"a", "b"}}, 4), serial::pack_call([](const std::vector<std::string>&) { called() = "x"; }, std::vector<std::string>{"a"})};
    for (const auto& call : calls) {
        called() = "nothing";
        for (std::size_t n = 0; n < call.bytes.size(); ++n) {
            serial::message shorter;
            shorter.bytes.assign(call.bytes.begin(), call.bytes.begin() + static_cast<std::ptrdiff_t>(n));
            CHECK_THROWS_AS(serial::run_call(shorter), mp::ProcessError);
        }
        serial::message longer{call.bytes, {}};
        longer.bytes.push_back(std::byte{0});
        CHECK_THROWS_AS(serial::run_call(longer), mp::ProcessError);
        CHECK(called() == "nothing");
        for (int i = 0; i < 300; ++i) {
            serial::message changed{call.bytes, {}};
            changed.bytes[d.below(changed.bytes.size())] ^= static_cast<std::byte>(1 + d.below(255));
            try {
                serial::run_call(changed);
            } catch (const mp::ProcessError&) {
            } catch (const std::out_of_range&) { // the functor's, of words.at(0)
            }
        }
    }
    // Pointers to members.
    for (const std::uint64_t slot : {std::uint64_t{2}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
        serial::writer out;
        out.number(serial::detail::points_to::table);
        out.number(slot);
        out.number(std::int64_t{0});
        const auto bytes = std::move(out).take();
        serial::reader in(bytes);
        CHECK_THROWS_AS(serial::take_portable<void (animal::*)(int)>(in), mp::ProcessError);
    }
    for (const std::int64_t distance : {std::int64_t{-2}, std::int64_t{sizeof(animal)}, std::int64_t{1} << 40}) {
        const auto bytes = serial::pack(distance);
        serial::reader in(bytes);
        CHECK_THROWS_AS(serial::take_portable<int animal::*>(in), mp::ProcessError);
    }
    const std::array<std::byte, 1> wrong{std::byte{7}};
    serial::reader in(wrong);
    CHECK_THROWS_AS(serial::take_portable<void (*)(int)>(in), mp::ProcessError);
}
