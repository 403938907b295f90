// Floor 0, config: every switch of the library.
#pragma once

// | switch                                | is                                   | set it by                        |
// | ------------------------------------- | ------------------------------------ | -------------------------------- |
// | MULTIPROCESSING_LINUX()               | 1 on Linux                           | -                                |
// | MULTIPROCESSING_PORTABLE()            | 1 where portable back ends are used  | MULTIPROCESSING_FORCE_PORTABLE=1 |
// | MULTIPROCESSING_THREAD_SANITIZER()    | 1 under -fsanitize=thread            | -                                |
// | MULTIPROCESSING_ADDRESS_SANITIZER()   | 1 under -fsanitize=address           | -                                |
// | MULTIPROCESSING_PARENT_DEATH_SIGNAL() | what tells a child that its parent   | defining it: -D'NAME()=(number)' |
// |                                       | died; a signal used for nothing else |                                  |
// | MULTIPROCESSING_STEP(name)            | nothing; in kill tests, where to die | MULTIPROCESSING_KILL_STEPS=1     |
//
// A switch is function-like so that a misspelt one doesn't compile. All parts of one program must set the same.

#if defined(__linux__)
#    define MULTIPROCESSING_LINUX() 1
#else
#    define MULTIPROCESSING_LINUX() 0
#endif

#if !MULTIPROCESSING_LINUX()
#    define MULTIPROCESSING_PORTABLE() 1
#elif defined(MULTIPROCESSING_FORCE_PORTABLE) && MULTIPROCESSING_FORCE_PORTABLE + 0
#    define MULTIPROCESSING_PORTABLE() 1
#else
#    define MULTIPROCESSING_PORTABLE() 0
#endif

// gcc says it by macros, clang by features.
#if defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define MULTIPROCESSING_THREAD_SANITIZER() 1
#    endif
#    if __has_feature(address_sanitizer)
#        define MULTIPROCESSING_ADDRESS_SANITIZER() 1
#    endif
#endif
#if defined(__SANITIZE_THREAD__)
#    define MULTIPROCESSING_THREAD_SANITIZER() 1
#endif
#if defined(__SANITIZE_ADDRESS__)
#    define MULTIPROCESSING_ADDRESS_SANITIZER() 1
#endif
#if !defined(MULTIPROCESSING_THREAD_SANITIZER)
#    define MULTIPROCESSING_THREAD_SANITIZER() 0
#endif
#if !defined(MULTIPROCESSING_ADDRESS_SANITIZER)
#    define MULTIPROCESSING_ADDRESS_SANITIZER() 0
#endif

// Real-time, so that it isn't mistaken for what terminals, shells and timers send; near the top, because programs that
// use such signals count from below. Whoever uses it includes <csignal>.
#if !defined(MULTIPROCESSING_PARENT_DEATH_SIGNAL)
#    define MULTIPROCESSING_PARENT_DEATH_SIGNAL() (SIGRTMAX - 2)
#endif

#if defined(MULTIPROCESSING_KILL_STEPS) && MULTIPROCESSING_KILL_STEPS + 0
namespace multiprocessing::testing {
/// Called at each named step of a shared-memory protocol. Defined by the tests, which may end the process in it.
void step(const char* name) noexcept;
} // namespace multiprocessing::testing
#    define MULTIPROCESSING_STEP(name) ::multiprocessing::testing::step(#name)
#else
#    define MULTIPROCESSING_STEP(name) static_cast<void>(0)
#endif
