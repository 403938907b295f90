// Floor 7, net/address: what an address's text means.
#pragma once

#include <algorithm> // std::all_of
#include <string>
#include <string_view>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/socket.hpp>

namespace multiprocessing::net {

/// "host:port", "[::1]:port" or ":port" (every interface), or else the path of a unix socket; after a leading NUL, a name that
/// isn't in the file system (Linux). `family` says which where that isn't what is meant.
struct address {
    bool is_unix = true;
    std::string path;
    std::string host;
    std::string port;
    os::endpoint::family only = os::endpoint::family::any;

    /// ValueError for an unknown family, and for an address that can't be one of that family.
    explicit address(std::string_view text, std::string_view family = {});

    /// Where that is; several places to be tried in turn. ValueError, std::system_error.
    [[nodiscard]] std::vector<os::endpoint> endpoints(bool to_listen) const {
        if (is_unix) return {os::endpoint::of_path(path)};
        return os::endpoint::of_host(host, port, to_listen, only);
    }
};

inline address::address(std::string_view text, std::string_view family) {
    using os::endpoint;
    if (!family.empty() && family != "AF_UNIX" && family != "AF_INET" && family != "AF_INET6")
        throw ValueError("the family \"" + std::string(family) + "\" isn't known: there are AF_UNIX, AF_INET and AF_INET6");
    const std::size_t colon = text.rfind(':');
    const auto digits = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    const bool has_port = !digits.empty() && std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
    const bool is_path = text.empty() || text.front() == '\0' || text.find('/') != std::string_view::npos || !has_port;
    is_unix = family.empty() ? is_path : family == "AF_UNIX";
    if (is_unix) {
        if (text.starts_with("\\\\")) throw ValueError("named pipes of Windows are none of this system's families");
        path = text;
        return;
    }
    if (!has_port) throw ValueError("an address of this family is \"host:port\", not \"" + std::string(text) + "\"");
    host = text.substr(0, colon);
    port = digits;
    if (port.size() > 5 || std::stoi(port) > 65535) throw ValueError("a port is a number up to 65535, not " + port);
    const bool has_brackets = host.size() > 1 && host.front() == '[' && host.back() == ']';
    if (has_brackets) host = host.substr(1, host.size() - 2);
    if (family == "AF_INET") only = endpoint::family::inet;
    else if (family == "AF_INET6" || has_brackets) only = endpoint::family::inet6;
}

} // namespace multiprocessing::net
