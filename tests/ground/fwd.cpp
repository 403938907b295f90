#include <multiprocessing/fwd.hpp>

// What a user can write with the forward declarations alone...
namespace user {

struct tools {
    multiprocessing::Process* process;
    multiprocessing::Pool* pool;
};
void start(const multiprocessing::ProcessOptions&);
void work(const multiprocessing::PoolOptions&, const multiprocessing::MapOptions&);
void report(const multiprocessing::ProcessError&);
multiprocessing::WorkerLostError* last_loss();
void talk(multiprocessing::Connection&, multiprocessing::AsyncResult<int>&, multiprocessing::IMapIterator<int>&,
          multiprocessing::Future<int>&, multiprocessing::ProcessPoolExecutor&, multiprocessing::BrokenProcessPool&);
void fill(multiprocessing::Queue<>&, multiprocessing::JoinableQueue<int>&, multiprocessing::SimpleQueue<>&);
multiprocessing::Object about(const multiprocessing::Context&, const multiprocessing::list&, const multiprocessing::dict&);
void meet(multiprocessing::Lock&, multiprocessing::RLock&, multiprocessing::Semaphore&, multiprocessing::BoundedSemaphore&,
          multiprocessing::Condition&, multiprocessing::Event&, multiprocessing::Barrier&);
void share(multiprocessing::Value<int>&, multiprocessing::RawValue<int>&, multiprocessing::Array<int>&,
           multiprocessing::RawArray<int>&, multiprocessing::shared_memory::SharedMemory&,
           multiprocessing::shared_memory::ShareableList&, multiprocessing::shared_memory::SharedMemoryManager&);

} // namespace user

// ... agrees with the definitions: a struct here and a class there, or a default argument in both, is an error.
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/multiprocessing.hpp>

#include <type_traits>

#include "support/catch.hpp"

namespace mp = multiprocessing;

TEST_CASE("forward declarations name what is defined", "[ground][fwd]") {
    STATIC_REQUIRE(std::is_same_v<decltype(user::tools::pool), mp::Pool*>);
    STATIC_REQUIRE(std::is_invocable_v<decltype(&user::report), const mp::WorkerLostError&>);
    STATIC_REQUIRE(std::is_class_v<mp::Process>);
    STATIC_REQUIRE(std::is_same_v<mp::Queue<>, mp::Queue<mp::Object>>);
    STATIC_REQUIRE(std::is_copy_constructible_v<mp::Lock>);
    STATIC_REQUIRE(std::is_same_v<mp::Future<int>, mp::futures::Future<int>>);
    STATIC_REQUIRE(std::is_base_of_v<mp::ProcessError, mp::BrokenProcessPool>);
    STATIC_REQUIRE(std::is_invocable_v<decltype(&user::about), mp::Context, mp::list, mp::dict>);
    STATIC_REQUIRE(sizeof(mp::ProcessOptions) > 0);
    STATIC_REQUIRE(std::is_class_v<mp::Pool>);
    STATIC_REQUIRE(sizeof(mp::PoolOptions) + sizeof(mp::MapOptions) > 0);
}
