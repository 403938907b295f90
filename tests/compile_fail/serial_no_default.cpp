// expect: the receiver must make this type before it can load it
#include <multiprocessing/serialization.hpp>

class seat {
public:
    explicit seat(int number) : number_(number) {}
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(number_);
    }

private:
    int number_;
};

void send(const std::vector<seat>& it) { (void)multiprocessing::serial::pack(it); }
