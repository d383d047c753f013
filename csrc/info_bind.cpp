#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "isa.hpp"
#include "parallel.hpp"

namespace genlab {
namespace {

namespace py = pybind11;

py::dict info() {
  using namespace pybind11::literals;
  const Choice& choice = instruction_set();
#ifdef _OPENMP
  const bool openmp = true;
#else
  const bool openmp = false;
#endif
  std::vector<std::string> dtypes = {"float32", "float64"};
  if (choice.set->bf16 != nullptr) dtypes.emplace_back("bfloat16");
  return py::dict("isa"_a = choice.set->name, "reason"_a = choice.reason, "isas"_a = choice.available, "threads"_a = thread_count(),
                  "openmp"_a = openmp, "compiler"_a = std::string(GENLAB_COMPILER), "dtypes"_a = dtypes, "lanes"_a = choice.set->f32.lanes);
}

}  // namespace

void register_info(py::module_& m) {
  instruction_set();  // a GENLAB_ISA that cannot be had is an error now, not at the first call
  m.def("info", &info, "What the kernels run on: instruction set and why, threads, compiler, dtypes.");
}

}  // namespace genlab
