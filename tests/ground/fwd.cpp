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

} // namespace user

// ... agrees with the definitions: a struct here and a class there, or a default argument in both, is an error.
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/pool.hpp>

#include <type_traits>

#include "support/catch.hpp"

namespace mp = multiprocessing;

TEST_CASE("forward declarations name what is defined", "[ground][fwd]") {
    STATIC_REQUIRE(std::is_same_v<decltype(user::tools::pool), mp::Pool*>);
    STATIC_REQUIRE(std::is_invocable_v<decltype(&user::report), const mp::WorkerLostError&>);
    STATIC_REQUIRE(std::is_class_v<mp::Process>);
    STATIC_REQUIRE(sizeof(mp::ProcessOptions) > 0);
    STATIC_REQUIRE(std::is_class_v<mp::Pool>);
    STATIC_REQUIRE(sizeof(mp::PoolOptions) + sizeof(mp::MapOptions) > 0);
}
