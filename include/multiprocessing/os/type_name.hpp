// Floor 1, os/type_name: what a type is called in a program, for messages.
#pragma once

#include <cstdlib> // std::free
#include <memory>  // std::unique_ptr
#include <string>
#include <string_view>
#include <typeinfo>

#include <cxxabi.h> // __cxa_demangle, __cxa_current_exception_type

namespace multiprocessing::os {

/// "std::runtime_error", "std::vector<int, std::allocator<int>>".
inline std::string type_name(const std::type_info& type);

/// The same without namespaces, enclosing functions and template arguments: "runtime_error", "vector".
inline std::string short_type_name(const std::type_info& type);

/// The type of what is being handled, inside a `catch (...)`.
inline std::string current_exception_type();

inline std::string type_name(const std::type_info& type) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> demangled(
        ::abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), [](void* text) { std::free(text); });
    std::string name = demangled ? demangled.get() : type.name();
    const auto respell = [&name](std::string_view from, std::string_view to) {
        for (std::size_t at = 0; (at = name.find(from, at)) != std::string::npos; at += to.size())
            name.replace(at, from.size(), to);
    };
    respell("std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string");
    while (name.find("> >") != std::string::npos) respell("> >", ">>");
    respell("std::string >", "std::string>");
    return name;
}

inline std::string short_type_name(const std::type_info& type) {
    const std::string name = type_name(type);
    std::size_t begin = 0;
    std::size_t end = name.size();
    int depth = 0; // in brackets: what encloses the type, or what it is made of
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        if ((c == '<' || c == '(') && depth++ == 0) end = i;
        if (c == '>' || c == ')') --depth;
        if (c == ':' && depth == 0) {
            begin = i + 1;
            end = name.size();
        }
    }
    return name.substr(begin, end - begin);
}

inline std::string current_exception_type() {
    const std::type_info* const type = ::abi::__cxa_current_exception_type();
    return type != nullptr ? type_name(*type) : "an exception of a foreign language";
}

} // namespace multiprocessing::os
