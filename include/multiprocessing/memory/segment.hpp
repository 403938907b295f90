// Floor 2, memory/segment: a mapped piece of shared memory that has no name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility> // std::move

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/mapped_region.hpp>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>
#include <multiprocessing/os/pages.hpp>

namespace multiprocessing::memory {

/// A file of memory and its mapping into this process. It has no name in any file system, so nothing is left
/// behind when the last process that maps it is gone, however it went.
///
/// - Its size is fixed and sealed: no holder of the descriptor can make a mapping fault by shortening the file.
/// - Sparse: a page costs memory from the first time that somebody touches it.
/// - Across fork(): the child has the same mapping at the same address. Others receive the descriptor.
/// - Errors: std::system_error from the file, ProcessError from the mapping.
class segment {
public:
    /// A new segment of zeros.
    segment(const char* label, std::uint64_t bytes);

    /// Maps a segment that another process made. Refused if its size isn't sealed.
    explicit segment(os::descriptor file);

    [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(region_.get_address()); }
    [[nodiscard]] std::uint64_t size() const noexcept { return region_.get_size(); }
    [[nodiscard]] int descriptor() const noexcept { return file_.get(); }

private:
    void map();

    os::descriptor file_;
    boost::interprocess::mapped_region region_;
};

namespace detail {

/// What Boost.Interprocess asks of a thing that can be mapped.
struct mappable {
    int fd;
    [[nodiscard]] boost::interprocess::mapping_handle_t get_mapping_handle() const noexcept {
        return boost::interprocess::ipcdetail::mapping_handle_from_file_handle(fd);
    }
};

} // namespace detail

inline segment::segment(const char* label, std::uint64_t bytes) : file_(os::make_memory_file(label)) {
    os::resize_file(file_.get(), bytes);
    os::seal_size(file_.get());
    map();
}

inline segment::segment(os::descriptor file) : file_(std::move(file)) {
    if (!os::size_is_sealed(file_.get()))
        throw ProcessError("cannot map shared memory whose size isn't sealed: it wasn't made by this library");
    map();
}

inline void segment::map() {
    namespace bip = boost::interprocess;
    const auto bytes = static_cast<std::size_t>(os::file_size(file_.get()));
    try {
        bip::mapped_region(detail::mappable{file_.get()}, bip::read_write, 0, bytes).swap(region_);
    } catch (const bip::interprocess_exception& error) {
        throw ProcessError(fmt::format("cannot map {} bytes of shared memory: {}", bytes, error.what()));
    }
    os::leave_out_of_core_dumps(data(), bytes);
}

} // namespace multiprocessing::memory
