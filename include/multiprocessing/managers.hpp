// Door: managers, as in Python's multiprocessing.managers.
#pragma once

#include <multiprocessing/exceptions.hpp>              // what can be caught
#include <multiprocessing/manager/acquirer.hpp>        // AcquirerProxy
#include <multiprocessing/manager/barrier.hpp>         // BarrierProxy
#include <multiprocessing/manager/base_manager.hpp>    // BaseManager, ManagerOptions
#include <multiprocessing/manager/condition.hpp>       // ConditionProxy
#include <multiprocessing/manager/dict.hpp>            // DictProxy
#include <multiprocessing/manager/event.hpp>           // EventProxy
#include <multiprocessing/manager/list.hpp>            // ListProxy
#include <multiprocessing/manager/manager.hpp>         // SyncManager, Manager
#include <multiprocessing/manager/name_space.hpp>      // Namespace
#include <multiprocessing/manager/pool.hpp>            // PoolProxy, AsyncResultProxy
#include <multiprocessing/manager/proxy.hpp>           // Proxy
#include <multiprocessing/manager/queue.hpp>           // QueueProxy, JoinableQueueProxy
#include <multiprocessing/manager/semaphore.hpp>       // SemaphoreProxy, BoundedSemaphoreProxy
#include <multiprocessing/manager/set.hpp>             // SetProxy
#include <multiprocessing/manager/value.hpp>           // ValueProxy, ArrayProxy
