// The vector registers of the instruction set that a file is compiled for; see csrc/kernels.cpp for why the namespace has no name.
#pragma once

namespace genlab {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

}  // namespace
}  // namespace genlab
