// Floor 1, os/module: where a function lives, said so that another process can find it.
#pragma once

#include <algorithm> // std::min, std::max
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <exception>
#include <iterator> // std::back_inserter
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <elf.h>      // NT_GNU_BUILD_ID
#include <fmt/format.h>
#include <link.h>     // dl_iterate_phdr
#include <sys/stat.h> // what stands for a missing build id

#include <multiprocessing/os/self.hpp>

namespace multiprocessing::os {

/// A function's place in the executable or shared library that holds it. It means the same in every process that has
/// loaded the same build of that module, wherever it was loaded to.
struct place {
    std::string build_id; // in hex; "file-..." for a module linked without one, made of its path, size and time
    std::string path;     // for messages: which module it was
    std::uint64_t offset = 0;

    friend bool operator==(const place&, const place&) = default;
};

/// Where this code is; none when it lies in no module (it was generated, or isn't code).
///
///     const auto where = os::locate(reinterpret_cast<const void*>(&work));      // here
///     const void* there = os::resolve(*where);                                  // in another process
///
/// - Threads: safe. It takes the loader's lock; a child forked while another thread was in dlopen must not call it.
/// - Start methods: the place of a function survives fork, exec, and another load address; not another build.
/// - Errors: std::bad_alloc.
inline std::optional<place> locate(const void* code);

/// The address of that place in this process; null when no loaded module has that build id, or when the offset lies
/// outside its code: what comes from outside can't name anything but code.
inline const void* resolve(const place& where);

/// Whether this code is part of the program rather than of a library: then a process of the same program has it from
/// the start. Takes no lock after its first call.
inline bool in_executable(const void* code) noexcept;

/// The build id of the program; remembered.
inline const std::string& build_id();

/// A number that changes whenever a module is loaded or unloaded.
inline std::uint64_t modules_loaded() noexcept;

namespace detail {

using address = std::uintptr_t;

inline std::span<const ElfW(Phdr)> segments(const dl_phdr_info& module) noexcept {
    return {module.dlpi_phdr, module.dlpi_phnum};
}

/// Whether `length` bytes from `offset` on lie in one loaded segment that has these permissions.
inline bool is_loaded(const dl_phdr_info& module, std::uint64_t offset, std::uint64_t length,
                      unsigned permissions) noexcept {
    for (const ElfW(Phdr)& segment : segments(module)) {
        if (segment.p_type != PT_LOAD || (segment.p_flags & permissions) != permissions) continue;
        if (offset >= segment.p_vaddr && offset - segment.p_vaddr <= segment.p_memsz &&
            length <= segment.p_memsz - (offset - segment.p_vaddr))
            return true;
    }
    return false;
}

/// The build id among these notes; empty when there is none, or when they are damaged.
inline std::string build_id_in(std::span<const std::byte> notes, std::size_t alignment) {
    const auto padded = [&](std::size_t size) { return (size + alignment - 1) / alignment * alignment; };
    constexpr std::string_view owner("GNU", 4); // its zero included
    while (notes.size() >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) header;
        std::memcpy(&header, notes.data(), sizeof header);
        const std::size_t value_at = padded(sizeof header + header.n_namesz);
        if (value_at > notes.size() || header.n_descsz > notes.size() - value_at) break;
        if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == owner.size() && header.n_descsz > 0 &&
            std::memcmp(notes.data() + sizeof header, owner.data(), owner.size()) == 0) {
            std::string hex;
            for (const std::byte part : notes.subspan(value_at, header.n_descsz))
                fmt::format_to(std::back_inserter(hex), "{:02x}", std::to_integer<unsigned>(part));
            return hex;
        }
        notes = notes.subspan(std::min(padded(value_at + header.n_descsz), notes.size()));
    }
    return {};
}

/// The program itself has no name in the loader's list.
inline std::string path_of(const dl_phdr_info& module) {
    return module.dlpi_name != nullptr && *module.dlpi_name != '\0' ? module.dlpi_name : executable();
}

/// FNV-1a over what tells one build of a file from the next, nearly always.
inline std::string substitute_build_id(const dl_phdr_info& module) {
    const std::string path = path_of(module);
    const bool is_program = module.dlpi_name == nullptr || *module.dlpi_name == '\0';
    struct stat file{};
    ::stat(is_program ? "/proc/self/exe" : path.c_str(), &file); // the one that runs, should its path name a newer one
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : fmt::format("{} {} {}.{:09}", path, file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec))
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return fmt::format("file-{:016x}", hash);
}

inline std::string build_id_of(const dl_phdr_info& module) {
    for (const ElfW(Phdr)& segment : segments(module)) {
        if (segment.p_type != PT_NOTE || !is_loaded(module, segment.p_vaddr, segment.p_memsz, PF_R)) continue;
        const auto* const notes = reinterpret_cast<const std::byte*>(module.dlpi_addr + segment.p_vaddr);
        std::string id = build_id_in({notes, segment.p_memsz}, segment.p_align == 8 ? 8 : 4);
        if (!id.empty()) return id;
    }
    return substitute_build_id(module);
}

/// Calls `visit(const dl_phdr_info&)` for each module, the program first, until it returns true.
template <typename Visit>
void each_module(Visit visit) {
    struct call {
        Visit& visit;
        std::exception_ptr failure;
    } current{visit, nullptr};
    ::dl_iterate_phdr(
        [](dl_phdr_info* module, std::size_t, void* context) -> int {
            auto& [visit_module, failure] = *static_cast<call*>(context);
            try {
                return visit_module(*module) ? 1 : 0;
            } catch (...) { // carried round the loader, which is C and holds its lock
                failure = std::current_exception();
                return 1;
            }
        },
        &current);
    if (current.failure) std::rethrow_exception(current.failure);
}

/// First and one past the last address of the program's code; 0 until somebody has asked.
inline constinit std::atomic<address> program_begin{0};
inline constinit std::atomic<address> program_end{0};

} // namespace detail

inline std::optional<place> locate(const void* code) {
    std::optional<place> found;
    detail::each_module([&](const dl_phdr_info& module) {
        const std::uint64_t offset = reinterpret_cast<detail::address>(code) - module.dlpi_addr;
        if (!detail::is_loaded(module, offset, 1, PF_X)) return false;
        found = place{detail::build_id_of(module), detail::path_of(module), offset};
        return true;
    });
    return found;
}

inline const void* resolve(const place& where) {
    const void* found = nullptr;
    detail::each_module([&](const dl_phdr_info& module) {
        if (!detail::is_loaded(module, where.offset, 1, PF_X)) return false;
        if (detail::build_id_of(module) != where.build_id) return false;
        found = reinterpret_cast<const void*>(module.dlpi_addr + where.offset);
        return true;
    });
    return found;
}

inline bool in_executable(const void* code) noexcept {
    detail::address end = detail::program_end.load(std::memory_order_acquire);
    if (end == 0) {
        detail::address begin = UINTPTR_MAX;
        detail::each_module([&](const dl_phdr_info& program) {
            for (const ElfW(Phdr)& segment : detail::segments(program)) {
                if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
                begin = std::min<detail::address>(begin, program.dlpi_addr + segment.p_vaddr);
                end = std::max<detail::address>(end, program.dlpi_addr + segment.p_vaddr + segment.p_memsz);
            }
            return true; // the first one is the program
        });
        detail::program_begin.store(begin, std::memory_order_relaxed);
        detail::program_end.store(end, std::memory_order_release); // after the begin, which is read after it
    }
    const auto asked = reinterpret_cast<detail::address>(code);
    return asked >= detail::program_begin.load(std::memory_order_relaxed) && asked < end;
}

inline const std::string& build_id() {
    static const std::string& id = *new std::string([] {
        std::string found;
        detail::each_module([&](const dl_phdr_info& program) {
            found = detail::build_id_of(program);
            return true; // the first one is the program
        });
        return found;
    }());
    return id;
}

inline std::uint64_t modules_loaded() noexcept {
    std::uint64_t changes = 0;
    detail::each_module([&](const dl_phdr_info& module) {
        changes = module.dlpi_adds + module.dlpi_subs;
        return true;
    });
    return changes;
}

} // namespace multiprocessing::os
