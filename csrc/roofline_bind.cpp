#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "isa.hpp"
#include "parallel.hpp"
#include "roofline.hpp"
#include "unlocked.hpp"

namespace genlab {
namespace {

// The roofs of the instruction set that the kernels use.
const Roofline& roofline() {
  const std::vector<const Roofline*> built = {
      &roofline_baseline,
#ifdef GENLAB_HAVE_avx2
      &roofline_avx2,
#endif
#ifdef GENLAB_HAVE_avx512
      &roofline_avx512,
#endif
#ifdef GENLAB_HAVE_avx512bf16
      &roofline_avx512bf16,
#endif
  };
  for (const Roofline* roof : built)
    if (std::string(roof->name) == instruction_set().set->name) return *roof;
  throw std::logic_error(std::string("no roofline for instruction set ") + instruction_set().set->name);
}

// work(share) on every thread; the sum of what it returned.
template <class Work>
double on_all_threads(const Work& work) {
  const int threads = thread_count();
  std::vector<double> results(threads);
  const Unlocked unlocked;  // registers and memory that the arguments keep alive
  parallel(threads, [&](int thread) { results[thread] = work(thread, threads); });
  double total = 0;
  for (const double result : results) total += result;
  return total;
}

py::tuple multiply_adds(long rounds, bool bfloat16) {
  const Roofline& roof = roofline();
  if (rounds < 1 || rounds > 1L << 23) throw py::value_error("rounds must be from 1 to 2^23; got " + std::to_string(rounds));
  if (bfloat16 && roof.dot_products == nullptr)
    throw py::value_error(std::string("bfloat16 must be false on instruction set ") + roof.name + ", which has no dot product of bfloat16");
  const auto run = bfloat16 ? roof.dot_products : roof.multiply_adds;
  const double sum = on_all_threads([&](int, int) { return run(rounds); });
  const double values = static_cast<double>(thread_count()) * roofline_chains * roof.lanes;
  return py::make_tuple((bfloat16 ? 4 : 2) * values * static_cast<double>(rounds), sum / values);
}

py::tuple matrix_products(long rounds) {
  const Roofline& roof = roofline();
  if (rounds < 1 || rounds > 1L << 19) throw py::value_error("rounds must be from 1 to 2^19; got " + std::to_string(rounds));
  const double sum = roof.matrix_products ? on_all_threads([&](int, int) { return roof.matrix_products(rounds); }) : 0;
  return py::make_tuple(sum == 0 ? 0 : 65536.0 * thread_count() * static_cast<double>(rounds), sum / (1024.0 * thread_count()));
}

double read(const py::array& x, long passes) {
  const float* data = checked<float>(x, "x", {-1});
  if (passes < 1) throw py::value_error("passes must be at least 1; got " + std::to_string(passes));
  const py::ssize_t count = x.size();
  return on_all_threads([&](int thread, int threads) {
    const py::ssize_t begin = count * thread / threads, end = count * (thread + 1) / threads;
    return roofline().read(data + begin, end - begin, passes);
  });
}

}  // namespace

void register_roofline(py::module_& m) {
  m.def("roofline_multiply_adds", &multiply_adds, py::arg("rounds"), py::arg("bfloat16") = false,
        "Multiply-adds on registers alone, on all threads: (operations done, the value each register must hold: 2, or 2 · rounds in bfloat16).");
  m.def("roofline_matrix_products", &matrix_products, py::arg("rounds"),
        "Matrix products of bfloat16 on the processor's matrix unit, on all threads: (operations done, the value each sum must hold, 32 · rounds); "
        "(0, 0) where it has none.");
  m.def("roofline_read", &read, py::arg("x"), py::arg("passes"),
        "Reads x (n,), float32, `passes` times, each thread its own share; returns the sum of what was read.");
}

}  // namespace genlab
