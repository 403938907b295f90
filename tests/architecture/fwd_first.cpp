// The forward header before the definitions: they must agree, default template arguments included.
#include <multiprocessing/fwd.hpp>

namespace {

namespace mp = multiprocessing;

// What one does with a forward declaration: hand it on.
template <typename T>
T* pass(T* pointer) {
    return pointer;
}
mp::Process* pass_process(mp::Process* process) { return pass(process); }
mp::Pool* pass_pool(mp::Pool* pool) { return pass(pool); }

} // namespace

#include "everything.hpp"

#include "support/catch.hpp"

// Each name of the forward header is defined somewhere.
static_assert(sizeof(mp::Process) > 0 && sizeof(mp::ProcessOptions) > 0);
static_assert(sizeof(mp::Pool) > 0 && sizeof(mp::PoolOptions) > 0 && sizeof(mp::MapOptions) > 0);
static_assert(sizeof(mp::ProcessError) > 0 && sizeof(mp::BufferTooShort) > 0 && sizeof(mp::AuthenticationError) > 0);
static_assert(sizeof(mp::TimeoutError) > 0 && sizeof(mp::WorkerLostError) > 0 && sizeof(mp::CancelledError) > 0);
static_assert(sizeof(mp::NotPortableError) > 0 && sizeof(mp::OwnerDiedError) > 0 && sizeof(mp::BrokenBarrierError) > 0);
static_assert(sizeof(mp::Empty) > 0 && sizeof(mp::Full) > 0 && sizeof(mp::EOFError) > 0 && sizeof(mp::BrokenPipeError) > 0);
static_assert(sizeof(mp::StopIteration) > 0 && sizeof(mp::ValueError) > 0 && sizeof(mp::TypeError) > 0);
static_assert(sizeof(mp::RemoteError) > 0 && sizeof(mp::ignore_t) > 0);

TEST_CASE("the forward header agrees with definitions that come after it", "[architecture][fwd]") {
    REQUIRE(pass_process(nullptr) == nullptr);
    REQUIRE(pass_pool(nullptr) == nullptr);
}
