// Floor 0, fwd: the public names before their definitions, with every default template argument.
#pragma once

namespace multiprocessing {

// process.hpp
class Process;
struct ProcessOptions;
class Logger;

// context.hpp
class Context;

// serialization.hpp
class Object;
class list;
class dict;

// queues.hpp
template <typename T = Object>
class Queue;
template <typename T = Object>
class JoinableQueue;
template <typename T = Object>
class SimpleQueue;

// connection.hpp
class Connection;
namespace connection {
class Listener;
struct ListenerOptions;
struct ClientOptions;
} // namespace connection

// synchronize.hpp
class Lock;
class RLock;
class Semaphore;
class BoundedSemaphore;
class Condition;
class Event;
class Barrier;

// sharedctypes.hpp
template <typename T>
class Value;
template <typename T>
class Array;
template <typename T>
class RawValue;
template <typename T>
class RawArray;

// shared_memory.hpp
namespace shared_memory {
class SharedMemory;
class ShareableList;
class SharedMemoryManager;
} // namespace shared_memory

// pool.hpp
class Pool;
struct PoolOptions;
struct MapOptions;
template <typename T>
class AsyncResult;
template <typename R>
class IMapIterator;

// futures.hpp
namespace futures {
class ProcessPoolExecutor;
template <typename R>
class Future;
struct BrokenProcessPool;
} // namespace futures
using futures::BrokenProcessPool;
using futures::Future;
using futures::ProcessPoolExecutor;

// managers.hpp
class SyncManager;
class Manager;
class Namespace;
class AcquirerProxy;
class BarrierProxy;
class ConditionProxy;
class EventProxy;
class PoolProxy;
template <typename R>
class AsyncResultProxy;
template <typename K = Object, typename V = Object>
class DictProxy;
template <typename T = Object>
class ListProxy;
template <typename T = Object>
class SetProxy;
template <typename T = Object>
class QueueProxy;
template <typename T = Object>
class JoinableQueueProxy;
template <typename T = Object>
class ValueProxy;
template <typename T = Object>
class ArrayProxy;
class BaseManager;
struct ManagerOptions;
class Server;
template <typename T = void>
class Proxy;

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
