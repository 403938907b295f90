// The door to pools.
#pragma once

#include <multiprocessing/exceptions.hpp>       // what can be caught
#include <multiprocessing/pool/imap.hpp>        // IMapIterator
#include <multiprocessing/pool/options.hpp>     // PoolOptions, MapOptions
#include <multiprocessing/pool/pool.hpp>        // Pool
#include <multiprocessing/pool/result.hpp>      // AsyncResult
#include <multiprocessing/pool/thread_pool.hpp> // pool::ThreadPool
