// Door: locks and signals among processes, as in Python's multiprocessing.synchronize.
#pragma once

#include <multiprocessing/exceptions.hpp>          // OwnerDiedError, BrokenBarrierError, ignore
#include <multiprocessing/sync/barrier.hpp>        // Barrier
#include <multiprocessing/sync/condition.hpp>      // Condition
#include <multiprocessing/sync/event.hpp>          // Event
#include <multiprocessing/sync/lock.hpp>           // Lock
#include <multiprocessing/sync/recursive_lock.hpp> // RLock
#include <multiprocessing/sync/semaphore.hpp>      // Semaphore, BoundedSemaphore
#include <multiprocessing/sync/shown.hpp>          // how they are printed
