// Floor 10, manager/name_space: Namespace, attributes that processes share.
#pragma once

#include <optional>
#include <ostream> // operator<<
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/fwd.hpp>
#include <multiprocessing/manager/dict.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/serial/object.hpp>

namespace multiprocessing {

/// Values by name that any number of processes read and change; what manager.Namespace() returns.
///
///     auto ns = manager.Namespace();
///     ns["x"] = 10;                           // ns.x = 10
///     ns.set("name", "Bob");
///     int x = ns.get<int>("x");
///     fmt::print("{}\n", ns);                 // Namespace(name='Bob', x=10)
///
/// - Python: `manager.Namespace()`. Names that begin with _ are shared too (there they belong to the proxy), but aren't printed,
///   as there.
/// - Everything else as for a DictProxy<std::string>, which items() and the other methods that aren't here are had from: `ns.names()`.
/// - Errors: std::out_of_range for a name that isn't there.
class Namespace {
public:
    using stands_for = Namespace;
    using reference = DictProxy<std::string>::reference;

    [[nodiscard]] reference operator[](const std::string& name) const { return names_[name]; }
    [[nodiscard]] Object at(const std::string& name) const {
        auto found = names_.try_get(name);
        if (!found) throw std::out_of_range("'Namespace' object has no attribute '" + name + "'");
        return *std::move(found);
    }
    template <typename T = Object>
    [[nodiscard]] T get(const std::string& name) const {
        if constexpr (std::is_same_v<T, Object>) return at(name);
        else return at(name).template as<T>();
    }
    void set(const std::string& name, const Object& value) const { names_.set(name, value); }
    [[nodiscard]] bool contains(const std::string& name) const { return names_.contains(name); }
    [[nodiscard]] bool hasattr(const std::string& name) const { return contains(name); }
    /// `del ns.name`.
    void erase(const std::string& name) const {
        if (!names_.erase(name)) throw std::out_of_range("'Namespace' object has no attribute '" + name + "'");
    }
    [[nodiscard]] const DictProxy<std::string>& names() const noexcept { return names_; }

    /// `Namespace(name='Bob', x=10)`: in the order of their names, as Python has it.
    [[nodiscard]] std::string repr() const {
        std::string text = "Namespace(";
        for (const auto& [name, value] : names_.copy()) {
            if (name.starts_with('_')) continue;
            if (text.back() != '(') text += ", ";
            text.append(name).append("=").append(value.repr());
        }
        return text + ")";
    }
    [[nodiscard]] std::string str() const { return repr(); }
    [[nodiscard]] std::string nested_repr() const {
        return manager::proxy_repr("NamespaceProxy", "Namespace", names_.store().name());
    }

    friend bool operator==(const Namespace& a, const Namespace& b) noexcept { return a.names_ == b.names_; }
    template <typename Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Namespace& x) {
        return out << x.repr();
    }

    /// For managers.
    explicit Namespace(manager::dict_store store) noexcept : names_(std::move(store)) {}
    explicit Namespace(manager::remote far) noexcept : names_(std::move(far)) {}

private:
    friend struct memory::access;
    explicit Namespace(memory::nothing_t) noexcept : names_(manager::dict_store()) {}
    auto parts() noexcept { return memory::access::parts(names_); }

    DictProxy<std::string> names_;
};

template <>
struct manager::served<Namespace> {
    static std::shared_ptr<servant> by(Namespace& x) { return std::make_shared<dict_servant>(x.names().store()); }
};

} // namespace multiprocessing

template <>
struct fmt::formatter<multiprocessing::Namespace> : multiprocessing::manager::repr_formatter<multiprocessing::Namespace> {};
