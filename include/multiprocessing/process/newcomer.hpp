// Floor 8, process/newcomer: a child from before its start until it is in its parent's list.
#pragma once

#include <memory>  // std::make_shared
#include <utility> // std::move

#include <multiprocessing/memory/members.hpp>
#include <multiprocessing/os/child.hpp>
#include <multiprocessing/process/launch.hpp>
#include <multiprocessing/process/lineage.hpp>
#include <multiprocessing/process/running.hpp>

namespace multiprocessing::process {

/// What every start method does before and after there is a process. All that can fail comes before: from then on there is a
/// process that must not be lost.
///
/// - Errors: the constructor throws ValueError where this process may have no children.
class newcomer {
public:
    explicit newcomer(launch& terms) : records_{std::make_shared<child_record>()}, started_(records_.front()) {
        lineage& mine = lineage::here();
        mine.require_may_have_children();
        mine.reap_now_and_then();
        mine.complete(terms);
        child_record& record = *records_.front();
        record.name = terms.name;
        record.authkey = *terms.authkey;
        record.daemon = terms.daemon;
    }

    /// It runs.
    running enlist(os::child child, memory::seat place) noexcept {
        child_record& record = *records_.front();
        record.pid = child.pid();
        record.sentinel = child.sentinel();
        record.seat = place;
        record.child = std::move(child);
        lineage::here().add(std::move(records_));
        return started_;
    }

private:
    child_records records_;
    running started_;
};

} // namespace multiprocessing::process
