// Floor 4, shared/shareable: what may be a Value or an element of an Array.
#pragma once

#include <type_traits>

namespace multiprocessing::shared {

/// Bytes that mean the same in every process.
template <typename T>
concept Shareable = std::is_object_v<T> && !std::is_const_v<T> && !std::is_pointer_v<T> &&
                    std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T>;

/// One sentence from the compiler where somebody tries something else.
template <typename T>
constexpr bool require_shareable() {
    static_assert(
        !std::is_pointer_v<T>,
        "a pointer can't be shared: what it points to isn't there in another process; share the value, or an index");
    static_assert(std::is_pointer_v<T> || Shareable<T>,
                  "a shared value must be trivially copyable and of standard layout: plain numbers, enumerations and "
                  "structs of them; what owns memory or has virtual functions belongs into a Queue or a Manager");
    return true;
}

} // namespace multiprocessing::shared
