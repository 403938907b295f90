// expect: where those are private, include <cereal/access.hpp>
#include <multiprocessing/serialization.hpp>

namespace cereal {
class access;
}

class account {
    friend class cereal::access;
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(balance_);
    }
    int balance_ = 0;
};

void send(const account& it) { (void)multiprocessing::serial::pack(it); }
