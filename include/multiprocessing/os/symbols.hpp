// Floor 1, os/symbols: the names that a module keeps for debuggers, and doesn't tell the loader.
#pragma once

#include <algorithm> // std::sort, std::upper_bound
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <elf.h>
#include <fcntl.h>    // open
#include <link.h>     // ElfW
#include <sys/mman.h> // mmap
#include <sys/stat.h>

#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>

namespace multiprocessing::os {

/// A name, and where the function begins, counted from where the module was loaded.
struct symbol {
    std::string_view name; // as the linker spells it; it lasts as long as the process
    std::uint64_t offset = 0;
};

/// The function of this file (an executable or a library) that has code at that offset; an empty name where the file doesn't say,
/// because it was stripped, or can't be read. A file is read when first asked about, which takes about a millisecond for ten
/// thousand functions, and remembered.
///
/// - Threads: any. Not in a signal handler.
inline symbol find_symbol(const std::string& path, std::uint64_t offset);

namespace detail {

/// The functions of one file. Nothing in the file is believed before it was compared with its size.
class symbol_table {
public:
    explicit symbol_table(const std::string& path) noexcept;
    [[nodiscard]] symbol find(std::uint64_t offset) const noexcept;

private:
    struct function {
        std::uint64_t begin;
        std::uint64_t size;
        std::uint32_t name; // where in names_
    };

    template <typename T>
    [[nodiscard]] bool get(std::uint64_t at, T& into) const noexcept {
        if (at > file_.size() || file_.size() - at < sizeof(T)) return false;
        std::memcpy(&into, file_.data() + at, sizeof(T));
        return true;
    }
    [[nodiscard]] std::span<const std::byte> section(const ElfW(Shdr)& header) const noexcept {
        if (header.sh_offset > file_.size() || header.sh_size > file_.size() - header.sh_offset) return {};
        return file_.subspan(header.sh_offset, header.sh_size);
    }
    void read();

    std::span<const std::byte> file_; // stays mapped: names point into it
    std::span<const std::byte> names_;
    std::vector<function> functions_; // in order
};

inline symbol_table::symbol_table(const std::string& path) noexcept {
    const descriptor file(retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
    struct stat about{};
    if (!file || ::fstat(file.get(), &about) == -1 || about.st_size <= 0) return;
    const auto size = static_cast<std::size_t>(about.st_size);
    void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (bytes == MAP_FAILED) return;
    file_ = {static_cast<const std::byte*>(bytes), size};
    try {
        read();
    } catch (...) { // no memory: no names
        functions_.clear();
    }
    if (functions_.empty()) ::munmap(bytes, size);
}

inline void symbol_table::read() {
    ElfW(Ehdr) elf;
    if (!get(0, elf) || std::memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_shentsize != sizeof(ElfW(Shdr))) return;
    for (std::uint64_t i = 0; i < elf.e_shnum; ++i) {
        ElfW(Shdr) header, strings;
        if (!get(elf.e_shoff + i * sizeof header, header)) return;
        if (header.sh_type != SHT_SYMTAB) continue;
        if (!get(elf.e_shoff + header.sh_link * sizeof strings, strings)) return;
        names_ = section(strings);
        const auto table = section(header);
        for (std::size_t at = 0; at + sizeof(ElfW(Sym)) <= table.size(); at += sizeof(ElfW(Sym))) {
            ElfW(Sym) each;
            std::memcpy(&each, table.data() + at, sizeof each);
            if ((each.st_info & 0xf) == STT_FUNC && each.st_shndx != SHN_UNDEF && each.st_name < names_.size())
                functions_.push_back({each.st_value, each.st_size, each.st_name});
        }
    }
    std::sort(functions_.begin(), functions_.end(), [](const function& a, const function& b) { return a.begin < b.begin; });
}

inline symbol symbol_table::find(std::uint64_t offset) const noexcept {
    auto after = std::upper_bound(functions_.begin(), functions_.end(), offset,
                                  [](std::uint64_t value, const function& each) { return value < each.begin; });
    if (after == functions_.begin()) return {};
    const function& found = *--after;
    if (offset - found.begin >= found.size) return {};
    const char* const name = reinterpret_cast<const char*>(names_.data()) + found.name;
    return {std::string_view(name, ::strnlen(name, names_.size() - found.name)), found.begin};
}

} // namespace detail

inline symbol find_symbol(const std::string& path, std::uint64_t offset) {
    // Never destroyed: an exception may be described at the very end. The lock may have been held by another thread at a fork:
    // then there are no names, which is better than to wait for ever.
    static auto& lock = *new std::mutex;
    static auto& tables = *new std::map<std::string, std::unique_ptr<detail::symbol_table>>;
    const std::unique_lock held(lock, std::try_to_lock);
    if (!held) return {};
    auto& table = tables[path];
    if (!table) table = std::make_unique<detail::symbol_table>(path);
    return table->find(offset);
}

} // namespace multiprocessing::os
