// Floor 1, os/constant: where a constant lives, said so that another process can find it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <link.h> // PT_GNU_RELRO

#include <multiprocessing/os/module.hpp>

namespace multiprocessing::os {

/// Where these bytes are, which no program writes once it runs; none when they lie in no module, or where they can be written.
///
/// A constant with a pointer in it is filled in when its module is loaded, and made read-only then (ld's -z relro, which is what
/// linkers do unless told otherwise).
///
/// - Threads, start methods, errors: as locate().
inline std::optional<place> locate_constant(const void* data, std::size_t size);

/// Their address in this process; null when no loaded module has that build id, or when not all of them are read-only there:
/// what comes from outside can't name anything that anybody may have written.
inline const void* resolve_constant(const place& where, std::size_t size);

namespace detail {

inline bool is_constant(const dl_phdr_info& module, std::uint64_t offset, std::uint64_t size) noexcept {
    if (!is_loaded(module, offset, size, PF_R)) return false;
    bool writable = is_loaded(module, offset, size, PF_W);
    for (const ElfW(Phdr)& segment : segments(module))
        if (segment.p_type == PT_GNU_RELRO && offset >= segment.p_vaddr && offset - segment.p_vaddr <= segment.p_memsz &&
            size <= segment.p_memsz - (offset - segment.p_vaddr))
            writable = false;
    return !writable;
}

} // namespace detail

inline std::optional<place> locate_constant(const void* data, std::size_t size) {
    std::optional<place> found;
    detail::each_module([&](const dl_phdr_info& module) {
        const std::uint64_t offset = reinterpret_cast<detail::address>(data) - module.dlpi_addr;
        if (!detail::is_constant(module, offset, size)) return false;
        found = place{detail::build_id_of(module), detail::path_of(module), offset};
        return true;
    });
    return found;
}

inline const void* resolve_constant(const place& where, std::size_t size) {
    const void* found = nullptr;
    detail::each_module([&](const dl_phdr_info& module) {
        if (!detail::is_constant(module, where.offset, size)) return false;
        if (detail::build_id_of(module) != where.build_id) return false;
        found = reinterpret_cast<const void*>(module.dlpi_addr + where.offset);
        return true;
    });
    return found;
}

} // namespace multiprocessing::os
