// What a machine is and how busy it is: nothing that says whose it is.
#pragma once

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <sys/utsname.h>

struct machine {
    unsigned cores = std::thread::hardware_concurrency();
    std::string processor = "an unknown processor", kernel, compiler;
    double load = 0; ///< runnable processes in the last minute, on average
    double busy = 0; ///< what part of the processors' time others had, in the moment before anything was measured

    machine() {
        std::ifstream about("/proc/cpuinfo");
        for (std::string line; std::getline(about, line);)
            if (line.starts_with("model name") && line.find(": ") != std::string::npos) {
                processor = line.substr(line.find(": ") + 2);
                break;
            }
        utsname system{};
        ::uname(&system);
        kernel = fmt::format("{} {}", system.sysname, system.release);
#if defined(__clang__)
        compiler = fmt::format("clang++ {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
        compiler = fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
        std::ifstream("/proc/loadavg") >> load;
        const ticks before = ticks_now();
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
        const ticks after = ticks_now();
        if (after.all > before.all) busy = 1 - (after.idle - before.idle) / (after.all - before.all);
    }

    [[nodiscard]] std::string in_words() const {
        return fmt::format("{} core{} of {}, {}, {}", cores, cores == 1 ? "" : "s", processor, kernel, compiler);
    }
    [[nodiscard]] std::string how_busy() const {
        return fmt::format("load average {:.2f}; others had {:.0f} % of the processors{}", load, 100 * busy,
                           busy > 0.1 ? ": TOO BUSY for numbers to be kept" : "");
    }

private:
    struct ticks {
        double all = 0, idle = 0;
    };
    static ticks ticks_now() {
        std::ifstream about("/proc/stat");
        std::string word;
        std::getline(about, word);
        std::istringstream line(word);
        line >> word; // cpu
        ticks now;
        double n = 0;
        for (int i = 0; i < 8 && line >> n; ++i) { // user nice system idle iowait irq softirq steal
            now.all += n;
            if (i == 3 || i == 4) now.idle += n;
        }
        return now;
    }
};
