// Floor 1, os/backtrace: the calls that led here, in words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib> // std::free
#include <memory>  // std::unique_ptr
#include <span>
#include <string>
#include <string_view>

#include <cxxabi.h> // __cxa_demangle
#include <dlfcn.h>  // dladdr
#include <fmt/format.h>
#include <unwind.h> // _Unwind_Backtrace

#include <multiprocessing/os/module.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/os/symbols.hpp>

namespace multiprocessing::os {

/// Fills in where each call on this thread's stack will return to, the innermost first, and returns how many there were
/// room for. `until`: calls from frames above this address of the stack are left out; null: none is.
///
///     std::array<const void*, 64> calls;
///     for (auto call : std::span(calls).first(os::read_stack(calls))) fmt::print("{}\n", os::describe_code(call));
///
/// - Threads: safe. In a signal handler: safe once it has been called before (its first call may load a library).
inline std::size_t read_stack(std::span<const void*> into, const void* until = nullptr) noexcept;

/// "worker::render(page const&)+0x1c in /opt/app"; "/opt/app+0x4711" where the module was stripped of its names;
/// "0x7f0012345678" for what lies in no module. For whoever wants the line: `addr2line -Cfie /opt/app 0x4711`.
inline std::string describe_code(const void* code);

/// The same for code in a module that needn't be loaded here.
inline std::string describe_place(const std::string& module, std::uint64_t offset);

/// The symbol that holds this code, as the linker spells it; empty where it isn't known.
inline std::string_view linker_name(const void* code);

/// A line "    at ..." for each of these calls. Those that a throw consists of are left out, and those from which this library
/// calls what is a user's.
inline std::string describe_calls(std::span<const void* const> calls);

namespace detail {

struct stack_reading {
    std::span<const void*> into;
    const void* until;
    std::size_t taken = 0;
};

inline _Unwind_Reason_Code read_frame(_Unwind_Context* frame, void* context) {
    auto& reading = *static_cast<stack_reading*>(context);
    if (reading.taken == reading.into.size()) return _URC_END_OF_STACK;
    // The stack grows downwards: what called a frame stands above it.
    if (reading.until != nullptr && _Unwind_GetCFA(frame) > reinterpret_cast<std::uintptr_t>(reading.until))
        return _URC_END_OF_STACK;
    int is_exact = 0; // where a signal struck
    const auto at = _Unwind_GetIPInfo(frame, &is_exact);
    if (at == 0) return _URC_END_OF_STACK;
    // Return addresses lie behind the call, perhaps already in the next function: one byte before is in the call.
    reading.into[reading.taken++] = reinterpret_cast<const void*>(is_exact != 0 ? at : at - 1);
    return _URC_NO_REASON;
}

struct code_place {
    std::string module; // empty: in none
    std::uint64_t offset = 0;
    symbol function;
};

inline code_place find_code(const void* code) {
    Dl_info found{};
    if (code == nullptr || ::dladdr(code, &found) == 0 || found.dli_fname == nullptr) return {};
    const auto base = reinterpret_cast<std::uintptr_t>(found.dli_fbase);
    code_place place{found.dli_fname, reinterpret_cast<std::uintptr_t>(code) - base, {}};
    if (in_executable(code)) place.module = executable(); // the loader says it as it was called, which may be relative
    if (found.dli_sname != nullptr)
        place.function = {found.dli_sname, reinterpret_cast<std::uintptr_t>(found.dli_saddr) - base};
    else
        place.function = find_symbol(place.module, place.offset);
    return place;
}

inline std::string describe(const code_place& found) {
    if (found.function.name.empty()) return fmt::format("{}+{:#x}", found.module, found.offset);
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> readable(
        ::abi::__cxa_demangle(std::string(found.function.name).c_str(), nullptr, nullptr, &status),
        [](void* text) { std::free(text); });
    return fmt::format("{}+{:#x} in {}", readable ? readable.get() : found.function.name,
                       found.offset - found.function.offset, found.module);
}

/// Where the user's part of a stack ends (os/throw_site.hpp).
inline bool calls_the_user(std::string_view name) {
    return name.starts_with("_ZN15multiprocessing2os10throw_site5watch");
}

inline bool is_part_of_a_throw(std::string_view name) {
    return name == "__cxa_throw" || name == "__cxa_rethrow" || name == "_ZSt17rethrow_exceptionNSt15__exception_ptr13exception_ptrE";
}

} // namespace detail

inline std::size_t read_stack(std::span<const void*> into, const void* until) noexcept {
    detail::stack_reading reading{into, until};
    if (!into.empty()) _Unwind_Backtrace(detail::read_frame, &reading);
    return reading.taken;
}

inline std::string_view linker_name(const void* code) {
    return detail::find_code(code).function.name;
}

inline std::string describe_code(const void* code) {
    const detail::code_place found = detail::find_code(code);
    if (found.module.empty()) return fmt::format("{:#x}", reinterpret_cast<std::uintptr_t>(code));
    return detail::describe(found);
}

inline std::string describe_place(const std::string& module, std::uint64_t offset) {
    return detail::describe({module, offset, find_symbol(module, offset)});
}

inline std::string describe_calls(std::span<const void* const> calls) {
    for (std::size_t i = calls.size(); i-- > 0;) {
        if (!detail::is_part_of_a_throw(linker_name(calls[i]))) continue;
        calls = calls.subspan(i + 1);
        break;
    }
    std::string text;
    for (const void* call : calls) {
        if (detail::calls_the_user(linker_name(call))) break;
        text += "    at " + describe_code(call) + '\n';
    }
    return text;
}

} // namespace multiprocessing::os
