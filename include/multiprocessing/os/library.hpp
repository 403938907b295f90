// Floor 1, os/library: shared libraries that a process loads while it runs.
#pragma once

#include <cstdlib> // realpath, free
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <dlfcn.h>

#include <multiprocessing/os/module.hpp>

namespace multiprocessing::os {

/// Loads a shared library, for good. Returns what went wrong, or nothing.
///
/// - Threads: safe. The library's own initialisation runs in this one.
[[nodiscard]] inline std::string load_library(const std::string& path) {
    if (::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return {};
    const char* const why = ::dlerror();
    return why != nullptr ? why : path + " can't be loaded";
}

/// A shared library loaded for good, whose functions are looked up by name.
///
///     const char* const names[] = {"libz.so.1", "libz.so"};
///     const os::library z(names);
///     const auto version = z.function<const char*()>("zlibVersion");
///     if (version != nullptr) ...
///
/// - Threads: safe. Loading runs the library's own initialisation in this one.
class library {
public:
    /// The first of these names that can be loaded. Or nothing, which converts to false.
    explicit library(std::span<const char* const> names) noexcept {
        for (const char* const name : names)
            if (handle_ == nullptr) handle_ = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }

    /// Null when there is none of that name. Of which type it is the caller must know.
    template <typename Function>
    [[nodiscard]] Function* function(const char* name) const noexcept {
        return handle_ == nullptr ? nullptr : reinterpret_cast<Function*>(::dlsym(handle_, name));
    }

private:
    void* handle_ = nullptr;
};

/// The build id of the loaded module of that path; none if none is loaded.
[[nodiscard]] inline std::optional<std::string> build_id_of(const std::string& path) {
    std::optional<std::string> found;
    detail::each_module([&](const dl_phdr_info& module) {
        if (detail::path_of(module) != path) return false;
        found = detail::build_id_of(module);
        return true;
    });
    return found;
}

/// The path from the root on, which leads to the same file from every working directory; as it is if there is no such file.
[[nodiscard]] inline std::string absolute_path(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> found(::realpath(path.c_str(), nullptr), &std::free);
    return found != nullptr ? found.get() : path;
}

} // namespace multiprocessing::os
