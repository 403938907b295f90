// Floor 1, os/throw_site: where something was thrown, told to who catches it.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility> // std::forward

#include <multiprocessing/os/backtrace.hpp>

namespace multiprocessing::os {

/// By the time that somebody catches an exception, the calls that led to it are gone. This has them taken down while they
/// are still there.
///
///     os::throw_site site;
///     try {
///         site.watch([&] { work(); });
///     } catch (...) {
///         fmt::print(stderr, "{}", site.backtrace());      // "    at parse(std::string const&)+0x1c in ./app\n ..."
///     }
///
/// An exception is thrown in two passes: the first looks for a handler, and the stack is left alone until it has found one.
/// On its way up it asks the type of each `catch` whether it would take what was thrown. Here the type that is asked takes
/// nothing, and looks at the stack instead. So what isn't thrown costs nothing, and nothing is taken down of what is caught
/// further in.
///
/// - Threads: a site is its thread's own. Sites nest.
/// - Limits: with libstdc++, which lets a type answer for itself; elsewhere backtrace() is empty.
/// - Errors: none but what the function throws.
class throw_site {
public:
    throw_site() noexcept : outer_(innermost()) { innermost() = this; }
    throw_site(const throw_site&) = delete;
    throw_site& operator=(const throw_site&) = delete;
    ~throw_site() { innermost() = outer_; }

    /// f(), and whatever it throws.
    template <typename F>
    [[gnu::noinline]] auto watch(F&& f) -> std::invoke_result_t<F>; // a frame of its own: what is outside of it is no user's

    /// The calls between watch() and the throw, from the innermost outwards, a line each; empty when nothing was thrown.
    [[nodiscard]] std::string backtrace() const { return describe_calls(std::span(calls_).first(taken_)); }

    /// Takes the stack down, unless there is one already.
    void take_down() noexcept {
        if (taken_ == 0) taken_ = read_stack(calls_, this);
    }

    static throw_site*& innermost() noexcept {
        static thread_local throw_site* site = nullptr;
        return site;
    }

private:
    throw_site* outer_;
    std::size_t taken_ = 0;
    std::array<const void*, 62> calls_;
};

namespace detail {

/// What is caught, and never thrown. Its key function has no definition, so that the compiler takes the description of the
/// type for defined elsewhere; which it is, below.
struct never_thrown {
    virtual void key();

protected:
    ~never_thrown() = default;
};

#if defined(__GLIBCXX__)
class onlooker final : public std::type_info {
public:
    onlooker() : std::type_info("multiprocessing::os::detail::never_thrown") { ready = true; }

    inline static constinit bool ready = false; // not so in the constructors of some global objects

    // The name is reserved because it is libstdc++'s: its personality routine asks it of every type that is caught.
    bool __do_catch(const std::type_info*, void**, unsigned) const override {
        if (throw_site* site = throw_site::innermost()) site->take_down();
        return false;
    }
};

extern const onlooker description_of_never_thrown __asm__("_ZTIN15multiprocessing2os6detail12never_thrownE");
inline const onlooker description_of_never_thrown;
#endif

} // namespace detail

template <typename F>
auto throw_site::watch(F&& f) -> std::invoke_result_t<F> {
#if defined(__GLIBCXX__)
    if (detail::onlooker::ready) {
        try {
            return std::forward<F>(f)();
        } catch (const detail::never_thrown&) { // never here
            throw;
        }
    }
#endif
    return std::forward<F>(f)();
}

} // namespace multiprocessing::os
