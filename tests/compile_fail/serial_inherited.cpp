// expect: this type inherits its base's serialize
#include <multiprocessing/serialization.hpp>

struct animal {
    int legs = 4;
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(legs);
    }
};
struct horse : animal {
    std::string name;
};

void send(const horse& it) { (void)multiprocessing::serial::pack(it); }
