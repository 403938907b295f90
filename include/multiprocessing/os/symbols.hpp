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

/// The same in a signal handler: takes no lock and no memory, and is slower, for it reads the file again.
inline symbol find_symbol_in_handler(const char* path, std::uint64_t offset) noexcept;

namespace detail {

/// The functions of one file. Nothing in the file is believed before it was compared with its size.
class symbol_file {
public:
    explicit symbol_file(const char* path) noexcept;
    symbol_file(const symbol_file&) = delete;
    symbol_file& operator=(const symbol_file&) = delete;

    struct function {
        std::uint64_t begin;
        std::uint64_t size;
        std::uint32_t name; // where among the names
    };
    /// visit(function) for each.
    template <typename Visit>
    void each_function(Visit visit) noexcept(noexcept(visit(function{})));

    /// Points into the file, which stays mapped unless it is given back.
    [[nodiscard]] std::string_view name_of(const function& which) const noexcept {
        const char* const name = reinterpret_cast<const char*>(names_.data()) + which.name;
        return {name, ::strnlen(name, names_.size() - which.name)};
    }
    void give_back() noexcept {
        if (!file_.empty()) ::munmap(const_cast<std::byte*>(file_.data()), file_.size());
        file_ = names_ = {};
    }

private:

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
    std::span<const std::byte> file_;
    std::span<const std::byte> names_;
};

/// One that is asked often.
class symbol_table {
public:
    explicit symbol_table(const std::string& path) noexcept;
    [[nodiscard]] symbol find(std::uint64_t offset) const noexcept;

private:
    symbol_file file_;
    std::vector<symbol_file::function> functions_; // in order
};

inline symbol_file::symbol_file(const char* path) noexcept {
    const descriptor file(retry([&] { return ::open(path, O_RDONLY | O_CLOEXEC); }));
    struct stat about{};
    if (!file || ::fstat(file.get(), &about) == -1 || about.st_size <= 0) return;
    const auto size = static_cast<std::size_t>(about.st_size);
    void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (bytes != MAP_FAILED) file_ = {static_cast<const std::byte*>(bytes), size};
}

template <typename Visit>
void symbol_file::each_function(Visit visit) noexcept(noexcept(visit(function{}))) {
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
                visit(function{each.st_value, each.st_size, each.st_name});
        }
    }
}

inline symbol_table::symbol_table(const std::string& path) noexcept : file_(path.c_str()) {
    try {
        file_.each_function([this](const symbol_file::function& each) { functions_.push_back(each); });
        std::sort(functions_.begin(), functions_.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
    } catch (...) { // no memory: no names
        functions_.clear();
    }
    if (functions_.empty()) file_.give_back();
}

inline symbol symbol_table::find(std::uint64_t offset) const noexcept {
    auto after = std::upper_bound(functions_.begin(), functions_.end(), offset,
                                  [](std::uint64_t value, const auto& each) { return value < each.begin; });
    if (after == functions_.begin()) return {};
    const auto& found = *--after;
    if (offset - found.begin >= found.size) return {};
    return {file_.name_of(found), found.begin};
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

inline symbol find_symbol_in_handler(const char* path, std::uint64_t offset) noexcept {
    detail::symbol_file file(path); // stays mapped, for the name that is returned: the process ends
    symbol found;
    file.each_function([&](const detail::symbol_file::function& each) noexcept {
        if (offset >= each.begin && offset - each.begin < each.size) found = {file.name_of(each), each.begin};
    });
    return found;
}

} // namespace multiprocessing::os
