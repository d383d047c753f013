// out = first / (1 − rate) where h >= rate · 2^32, else 0; backwards out (+)= grad likewise. h is a hash of the key of a training step, the
// image of the batch, the node and the position in (row, column, channel): genlab/causal/operations/dropout.py computes the same.
#pragma once

#include "operation.hpp"

namespace genlab {

inline const Form dropout_form{"dropout", false, false, true, false, {{first, Port::reads, Port::same, true}, {out, Port::writes, Port::same, true}},
                               true};
inline const Form dropout_grad_form{
    "dropout_grad", true, false, true, true, {{grad, Port::reads, Port::same, true}, {out, Port::writes, Port::same, true}}, true};

// A bijection of 64 bits (Steele et al. 2014).
inline std::uint64_t splitmix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

template <class S>
class DropoutMap : public Operation<S> {
 public:
  DropoutMap(const Instruction& i, Workspace<S>& w, Slot from) : Operation<S>(i, w, out), from_(from) {
    a_.channels = w.spec.buffers[i[out]].channels;
    a_.x_stride = this->stride(from);
    a_.out_stride = this->stride(out);
    a_.least = static_cast<std::uint32_t>(i.rate * 4294967296.0);
    a_.scale = static_cast<Compute<S>>(1 / (1 - i.rate));
    a_.accumulate = i.accumulate;
  }
  void run(int y, int x, int positions) override {
    const std::uint64_t words = splitmix(splitmix(splitmix(this->w_.key) ^ this->w_.image) ^ static_cast<std::uint64_t>(this->i_.stream));
    DropoutArgs<S> a = a_;
    a.low = static_cast<std::uint32_t>(words);
    a.high = static_cast<std::uint32_t>(words >> 32);
    a.first_position = (static_cast<std::uint32_t>(y) * this->width_ + x) * a.channels;
    a.x = this->at(from_, y, x);
    a.out = this->at(out, y, x);
    a.pixels = positions;  // of the one image that training takes at a time
    this->w_.kernels.dropout(a);
  }

 private:
  const Slot from_;
  DropoutArgs<S> a_{};  // all that is the same for every pixel
};

template <class S>
struct Dropout final : DropoutMap<S> {
  Dropout(const Instruction& i, Workspace<S>& w) : DropoutMap<S>(i, w, first) {}
};
template <class S>
struct DropoutGrad final : DropoutMap<S> {
  DropoutGrad(const Instruction& i, Workspace<S>& w) : DropoutMap<S>(i, w, grad) {}
};

}  // namespace genlab
