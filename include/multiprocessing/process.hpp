// Door: processes, as in Python's multiprocessing.process.
#pragma once

#include <multiprocessing/exceptions.hpp>           // what can be caught
#include <multiprocessing/process/exit.hpp>         // exit, at_exit
#include <multiprocessing/process/logging.hpp>      // get_logger, log_to_stderr
#include <multiprocessing/process/options.hpp>      // ProcessOptions
#include <multiprocessing/process/parent.hpp>       // parent_process
#include <multiprocessing/process/process.hpp>      // Process, current_process, active_children, cpu_count
#include <multiprocessing/process/start_method.hpp> // StartMethod
