// Floor 1, os/crash: a process that crashes says where it was.
#pragma once

#include <algorithm> // std::min
#include <atomic>
#include <cerrno>
#include <charconv> // std::to_chars
#include <csignal>  // sigaction
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy, strnlen
#include <span>
#include <string>
#include <string_view>

#include <cxxabi.h>   // __cxa_demangle
#include <dlfcn.h>    // dladdr
#include <sys/mman.h> // mmap
#include <unistd.h>   // write, alarm
#include <unwind.h>   // _Unwind_FindEnclosingFunction

#include <multiprocessing/exceptions.hpp> // signal_name
#include <multiprocessing/os/backtrace.hpp>
#include <multiprocessing/os/module.hpp>
#include <multiprocessing/os/name.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/symbols.hpp>

namespace multiprocessing::os {

/// From now on SIGSEGV, SIGABRT, SIGBUS, SIGFPE and SIGILL, where they would kill this process without a word, first have it write
/// to stderr who it is, what hit it, and the calls that led there. Then it dies of the signal all the same, with a core dump if
/// there was to be one.
///
///     Process Solver (pid 4711) got SIGSEGV at address 0x10:
///         at solve(mesh const&)+0x4f in /opt/app
///
/// - Threads: any may crash; this is called by one. A stack that overflows is told for the calling thread alone.
/// - Signals that the program, or a sanitizer, handles itself are left to that.
/// - When the memory that malloc keeps its books in is damaged: names may be printed as the linker spells them; should even that
///   hang, SIGALRM ends the process within two seconds.
inline void tell_crashes();
/// What that does first: whatever loads a library, or takes memory, when it is asked for the first time.
inline void get_ready_to_tell_crashes();

/// The same is written down here too, as short as it can be: places in modules, a line each. Shared memory that the parent reads.
inline void leave_last_words_in(std::span<char> place) noexcept;

/// What a crashed process has left there, in words; empty if there is nothing.
[[nodiscard]] inline std::string read_last_words(std::span<const char> place);

namespace detail {

inline constinit std::atomic<char*> last_words{nullptr};
inline constinit std::atomic<std::size_t> room_for_last_words{0};
inline constinit std::atomic<bool> crashing{false};

/// Text put together without asking anybody for memory.
class plain_text {
public:
    plain_text& operator<<(std::string_view text) noexcept {
        const std::size_t n = text.size() < sizeof text_ - size_ ? text.size() : sizeof text_ - size_;
        std::memcpy(text_ + size_, text.data(), n);
        size_ += n;
        return *this;
    }
    plain_text& hex(std::uint64_t number) noexcept {
        char digits[20];
        const auto end = std::to_chars(digits, digits + sizeof digits, number, 16).ptr;
        return *this << "0x" << std::string_view(digits, static_cast<std::size_t>(end - digits));
    }
    plain_text& decimal(std::int64_t number) noexcept {
        char digits[24];
        const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
        return *this << std::string_view(digits, static_cast<std::size_t>(end - digits));
    }
    void to_stderr() const noexcept {
        const char* at = text_;
        for (std::size_t left = size_; left != 0;) {
            const ssize_t n = ::write(STDERR_FILENO, at, left);
            if (n <= 0) return; // nobody listens
            at += n;
            left -= static_cast<std::size_t>(n);
        }
    }
    [[nodiscard]] std::string_view view() const noexcept { return {text_, size_}; }

private:
    std::size_t size_ = 0;
    char text_[2000];
};

struct raw_place {
    const char* module = nullptr; // what it is called
    const char* file = nullptr;   // where it can be read
    std::uint64_t offset = 0;
    std::string_view name; // what the loader knows
    std::uint64_t begin = 0;
};

// dladdr takes the loader's lock, which a thread holds while it is in dlopen: who crashes there is ended by the alarm.
inline raw_place place_in_handler(const void* code) noexcept {
    Dl_info found{};
    if (code == nullptr || ::dladdr(code, &found) == 0 || found.dli_fname == nullptr) return {};
    const auto base = reinterpret_cast<std::uintptr_t>(found.dli_fbase);
    raw_place place{found.dli_fname, found.dli_fname, reinterpret_cast<std::uintptr_t>(code) - base, {}, 0};
    if (in_executable(code)) { // the loader knows it as it was called
        place.module = executable().c_str();
        place.file = "/proc/self/exe";
    }
    if (found.dli_sname != nullptr) {
        place.name = found.dli_sname;
        place.begin = reinterpret_cast<std::uintptr_t>(found.dli_saddr) - base;
    }
    return place;
}

/// Whether one of these calls is of the allocator, which then may hold its lock.
inline bool is_in_allocator(std::span<const raw_place> calls) noexcept {
    for (const raw_place& call : calls)
        for (const std::string_view each : {"malloc", "free", "cfree", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign"})
            if (call.name == each) return true;
    return false;
}

inline void write_last_words(std::string_view text) noexcept {
    char* const place = last_words.load(std::memory_order_acquire);
    const std::size_t room = room_for_last_words.load(std::memory_order_acquire);
    if (place == nullptr || room == 0) return;
    const std::size_t n = text.size() < room ? text.size() : room - 1;
    std::memcpy(place, text.data(), n);
    if (n < room) place[n] = '\0';
}

inline void on_crash(int number, siginfo_t* about, void*) noexcept;

/// The calls that led to a crash, without those of the handler.
inline std::span<const void*> calls_before_handler(std::span<const void*> calls) noexcept {
    for (std::size_t i = 0; i + 2 < calls.size(); ++i)
        if (::_Unwind_FindEnclosingFunction(const_cast<void*>(calls[i])) == reinterpret_cast<void*>(&on_crash))
            return calls.subspan(i + 2); // and the kernel's own frame
    return calls;
}

inline void on_crash(int number, siginfo_t* about, void*) noexcept {
    const int error = errno;
    if (!crashing.exchange(true)) { // of several threads one tells
        ::alarm(2);
        static const void* stack[48];
        static raw_place places[48];
        const auto calls = calls_before_handler(std::span(stack).first(read_stack(stack)));
        plain_text words; // first what is safest
        for (std::size_t i = 0; i < calls.size(); ++i) {
            places[i] = place_in_handler(calls[i]);
            if (places[i].module != nullptr) words.hex(places[i].offset) << " " << places[i].module << "\n";
        }
        write_last_words(words.view());

        plain_text head;
        head << "Process " << name_or_default() << " (pid ";
        head.decimal(pid()) << ") got " << multiprocessing::detail::signal_name(number); // short enough to need no memory
        if (about != nullptr && about->si_code > 0 && number != SIGABRT)
            head << " at address ", head.hex(reinterpret_cast<std::uintptr_t>(about->si_addr));
        head << ":\n";
        head.to_stderr();
        const bool may_allocate = !is_in_allocator(std::span(places).first(calls.size()));
        for (std::size_t i = 0; i < calls.size(); ++i) {
            raw_place& place = places[i];
            plain_text line;
            line << "    at ";
            if (place.module == nullptr) {
                line.hex(reinterpret_cast<std::uintptr_t>(calls[i])) << "\n";
                line.to_stderr();
                continue;
            }
            if (place.name.empty()) {
                const symbol found = find_symbol_in_handler(place.file, place.offset);
                place.name = found.name;
                place.begin = found.offset;
            }
            if (calls_the_user(place.name)) break;
            if (place.name.empty()) {
                line << place.module << "+";
                line.hex(place.offset) << "\n";
            } else {
                int status = 0;
                char* const readable = may_allocate ? ::abi::__cxa_demangle(place.name.data(), nullptr, nullptr, &status) : nullptr;
                line << (readable != nullptr ? std::string_view(readable) : place.name) << "+";
                line.hex(place.offset - place.begin) << " in " << place.module << "\n";
            }
            line.to_stderr();
        }
        ::alarm(0);
    }
    errno = error;
    // The disposition is the default's again. What the processor raised comes again by itself, at the place where it happened.
    if (about == nullptr || about->si_code <= 0) ::raise(number);
}

} // namespace detail

inline void get_ready_to_tell_crashes() {
    static bool is_ready = false; // inherited
    if (is_ready) return;
    const void* call = nullptr;
    static_cast<void>(read_stack(std::span(&call, 1)));
    static_cast<void>(executable());
    static_cast<void>(in_executable(call));
    is_ready = true;
}

inline void tell_crashes() {
    constexpr std::size_t stack_size = 64 * 1024;
    static bool has_stack = false;
    stack_t stack{};
    if (!has_stack && ::sigaltstack(nullptr, &stack) == 0 && (stack.ss_flags & SS_DISABLE) != 0) {
        void* const memory = ::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory != MAP_FAILED) {
            stack.ss_sp = memory;
            stack.ss_size = stack_size;
            stack.ss_flags = 0;
            ::sigaltstack(&stack, nullptr);
            has_stack = true;
        }
    }
    get_ready_to_tell_crashes();
    for (const int number : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) {
        struct sigaction now{};
        if (::sigaction(number, nullptr, &now) != 0 || (now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL) continue;
        struct sigaction ours{};
        ours.sa_sigaction = detail::on_crash;
        ours.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESETHAND);
        sigemptyset(&ours.sa_mask);
        ::sigaction(number, &ours, nullptr);
    }
}

inline void leave_last_words_in(std::span<char> place) noexcept {
    if (!place.empty()) place[0] = '\0';
    detail::room_for_last_words.store(place.size(), std::memory_order_release);
    detail::last_words.store(place.data(), std::memory_order_release);
}

inline std::string read_last_words(std::span<const char> place) {
    const std::string_view text(place.data(), ::strnlen(place.data(), place.size()));
    std::string readable;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = text.substr(at, end - at);
        at = end + 1;
        // "0x4711 /opt/app"
        const std::size_t gap = line.find(' ');
        std::uint64_t offset = 0;
        if (gap == std::string_view::npos || !line.starts_with("0x") ||
            std::from_chars(line.data() + 2, line.data() + gap, offset, 16).ec != std::errc())
            continue;
        const std::string module(line.substr(gap + 1));
        if (detail::calls_the_user(find_symbol(module, offset).name)) break;
        readable += "    at " + describe_place(module, offset) + '\n';
    }
    return readable;
}

} // namespace multiprocessing::os
