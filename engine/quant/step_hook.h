// What a method does once a step for the network as a whole.
#pragma once

#include <cstdint>

namespace bitloom::quant {

class StepHook {
  public:
    virtual ~StepHook() = default;
    /// After the backward pass of step `step`, counted from 1, of `steps`, before the optimizer's update. On
    /// the thread that trains.
    virtual void afterBackward(std::int64_t step, std::int64_t steps) = 0;
};

}  // namespace bitloom::quant
