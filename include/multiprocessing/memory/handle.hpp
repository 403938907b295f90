// Floor 2, memory/handle: counted ownership across processes: the last handle in the last process frees the object.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memset
#include <memory>  // std::construct_at
#include <type_traits>
#include <utility> // std::exchange, std::forward

#include <multiprocessing/memory/family.hpp>

namespace multiprocessing::memory {

/// One process's share of an object: while it exists, the object does. Untyped; handle<T> is what one uses.
///
/// Copies within a process cost one addition in private memory: only the first handle of a process and the last one
/// touch shared memory.
class holding {
public:
    holding() noexcept = default;
    holding(const holding& other) noexcept : id_(other.id_), payload_(other.payload_) {
        if (*this) family::here().share(id_);
    }
    holding(holding&& other) noexcept
        : id_(std::exchange(other.id_, no_object)), payload_(std::exchange(other.payload_, nullptr)) {}
    // Two, not one that takes its argument by value: clang 14 never destroys an argument made of `{}` in some templates.
    holding& operator=(const holding& other) noexcept { return *this = holding(other); }
    holding& operator=(holding&& other) noexcept {
        holding taken(std::move(other));
        std::swap(id_, taken.id_);
        std::swap(payload_, taken.payload_);
        return *this;
    }
    ~holding() {
        if (*this) family::here().drop(id_);
    }

    [[nodiscard]] explicit operator bool() const noexcept { return id_ != no_object; }
    [[nodiscard]] object_id id() const noexcept { return id_; }
    [[nodiscard]] object_name name() const noexcept { return *this ? family::here().name_of(id_) : 0; }
    [[nodiscard]] void* payload() const noexcept { return payload_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return *this ? family::here().size_of(id_) : 0; }

    /// Another member, who is alive and has no handle to the object, holds it too from now on. It takes it by
    /// receive(); should it end before, its undertaker drops it.
    void give(seat to) const noexcept {
        if (*this) family::here().give(id_, to);
    }
    /// Undoes give(), when `to` can't have learnt of it.
    void take_back(seat from) const noexcept {
        if (*this) family::here().take_back(id_, from);
    }
    /// Takes what another member has given to this process. Throws ProcessError when it was given no such thing.
    [[nodiscard]] static holding receive(object_name name) {
        const object_id id = family::here().receive(name);
        return holding(id, family::here().payload(id));
    }

    /// Takes what a pin of a message holds, which this process has adopted. Nothing for a pin that isn't the message's.
    [[nodiscard]] static holding receive(pins::index which, object_id message) {
        const object_id id = family::here().receive(which, message);
        return id == no_object ? holding() : holding(id, family::here().payload(id));
    }

    /// An object of so many bytes that nobody knows of until publish().
    [[nodiscard]] static holding make(std::uint64_t bytes) {
        const object_id id = family::here().make(bytes);
        return holding(id, family::here().payload(id));
    }
    void publish() const noexcept { family::here().publish(id_); }

    friend bool operator==(const holding& a, const holding& b) noexcept { return a.id_ == b.id_; }

private:
    holding(object_id id, void* payload) noexcept : id_(id), payload_(payload) {}

    object_id id_ = no_object;
    void* payload_ = nullptr;
};

/// What may stand in the commons: nobody can run a destructor for a process that was killed.
template <typename T>
concept Placeable = std::is_trivially_destructible_v<T> && !std::is_reference_v<T>;

/// A counted handle to a T in the commons. Copying it shares the T; the last handle in the last process frees it.
///
///     auto hits = memory::handle<std::atomic<int>>::create(0);
///     ++*hits;                                   // in this process, or in any forked while `hits` existed
///     auto many = memory::handle<double[]>::create(1'000'000);   // zeros; only touched pages cost memory
///
/// - Threads: distinct handles, safe; one handle, as safe as a pointer.
/// - Across a Process's start: the child's copies count by themselves.
/// - When a process dies, however it dies, its share ends; whoever notices first frees what nobody holds any more.
/// - A process forked by others' means (plain fork()) has handles that work while its parent keeps its own.
/// - Errors: std::bad_alloc.
template <typename T>
class handle : public holding {
    static_assert(Placeable<std::remove_extent_t<T>>,
                  "an object in shared memory must be trivially destructible: nobody can destroy it for a killed process");
    static_assert(alignof(T) <= 64, "an object in shared memory can be aligned to 64 bytes at most");

public:
    using element_type = std::remove_extent_t<T>;

    handle() noexcept = default;
    explicit handle(holding share) noexcept : holding(std::move(share)) {}

    template <typename... Args>
        requires(!std::is_array_v<T> && std::constructible_from<T, Args...>)
    [[nodiscard]] static handle create(Args&&... args) {
        handle made(holding::make(sizeof(T)));
        std::construct_at(made.get(), std::forward<Args>(args)...);
        made.publish();
        return made;
    }

    /// `n` elements, all bytes zero.
    [[nodiscard]] static handle create(std::size_t n)
        requires(std::is_unbounded_array_v<T> && std::is_trivially_copyable_v<element_type>)
    {
        if (n > ~std::uint64_t{0} / sizeof(element_type)) throw std::bad_array_new_length();
        handle made(holding::make(n * sizeof(element_type)));
        if (!family::here().payload_is_zero(made.id())) std::memset(made.payload(), 0, n * sizeof(element_type));
        made.publish();
        return made;
    }

    /// As create(n), but what the elements hold is whatever was there: for what will be written whole.
    [[nodiscard]] static handle create_for_overwrite(std::size_t n)
        requires(std::is_unbounded_array_v<T> && std::is_trivially_copyable_v<element_type>)
    {
        if (n > ~std::uint64_t{0} / sizeof(element_type)) throw std::bad_array_new_length();
        handle made(holding::make(n * sizeof(element_type)));
        made.publish();
        return made;
    }

    [[nodiscard]] element_type* get() const noexcept { return static_cast<element_type*>(payload()); }
    [[nodiscard]] element_type& operator*() const noexcept
        requires(!std::is_array_v<T>)
    {
        return *get();
    }
    [[nodiscard]] element_type* operator->() const noexcept
        requires(!std::is_array_v<T>)
    {
        return get();
    }
    [[nodiscard]] element_type& operator[](std::size_t i) const noexcept
        requires(std::is_array_v<T>)
    {
        return get()[i];
    }
};

struct nothing_t {
    explicit nothing_t() = default;
};
inline constexpr nothing_t nothing{};

/// How a class made of handles is taken apart and put together again, which is all that travelling needs:
///
///     class Event {
///         friend struct memory::access;
///         explicit Event(memory::nothing_t) noexcept {}        // an Event without a state, to be filled in
///         auto parts() noexcept { return std::tie(state_); }   // handles, classes of such, trivially copyable values
///         memory::handle<state> state_;
///     };
struct access {
    template <typename T>
    static auto parts(T& x) noexcept -> decltype(x.parts()) {
        return x.parts();
    }
    template <typename T>
    static auto empty() noexcept -> decltype(T(nothing)) {
        return T(nothing);
    }
};

/// A public class that is a handle, or several.
template <typename T>
concept MadeOfHandles = requires(T& x) {
    access::parts(x);
    { access::empty<T>() } -> std::same_as<T>;
};

} // namespace multiprocessing::memory
