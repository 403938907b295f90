// Floor 10, manager/snapshot: going through what was there at one moment.
#pragma once

#include <cstddef>
#include <iterator> // std::input_iterator_tag
#include <memory>
#include <utility>
#include <vector>

namespace multiprocessing::manager {

/// An iterator that owns what it goes through, for `for (const auto& key : proxy)`; its end is std::default_sentinel.
template <typename T>
class snapshot {
public:
    using iterator_concept = std::input_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = const T*;
    using reference = const T&;

    snapshot() = default;
    explicit snapshot(std::vector<T> all) : all_(std::make_shared<const std::vector<T>>(std::move(all))) {}

    [[nodiscard]] reference operator*() const noexcept { return (*all_)[at_]; }
    [[nodiscard]] pointer operator->() const noexcept { return &**this; }
    snapshot& operator++() noexcept {
        ++at_;
        return *this;
    }
    snapshot operator++(int) noexcept {
        snapshot before = *this;
        ++at_;
        return before;
    }
    friend bool operator==(const snapshot& x, std::default_sentinel_t) noexcept { return !x.all_ || x.at_ == x.all_->size(); }

private:
    std::shared_ptr<const std::vector<T>> all_;
    std::size_t at_ = 0;
};

} // namespace multiprocessing::manager
