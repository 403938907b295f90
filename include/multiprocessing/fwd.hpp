// Floor 0, fwd: the public names before their definitions, with every default template argument.
#pragma once

namespace multiprocessing {

// process.hpp
class Process;
struct ProcessOptions;

// pool.hpp
class Pool;
struct PoolOptions;
struct MapOptions;

// exceptions.hpp
struct ProcessError;
struct BufferTooShort;
struct AuthenticationError;
struct TimeoutError;
struct WorkerLostError;
struct CancelledError;
struct NotPortableError;
struct OwnerDiedError;
struct BrokenBarrierError;
struct Empty;
struct Full;
struct EOFError;
struct BrokenPipeError;
struct StopIteration;
struct ValueError;
struct TypeError;
struct RemoteError;
struct ignore_t;

} // namespace multiprocessing
