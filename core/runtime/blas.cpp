// Finding OpenBLAS and calling it.
#include "runtime/blas.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <string>

#include "runtime/object.h"

namespace lg::blas {
namespace {

// Numbers of the CBLAS interface.
constexpr int row_major = 101, no_trans = 111, trans = 112;

template <class T>
using Gemm = void (*)(int order, int trans_a, int trans_b, int m, int n, int k, T alpha, const T* a, int lda,
                      const T* b, int ldb, T beta, T* c, int ldc);
template <class T>
using ComplexGemm = void (*)(int order, int trans_a, int trans_b, int m, int n, int k, const void* alpha, const void* a,
                             int lda, const void* b, int ldb, const void* beta, void* c, int ldc);
struct Library {
  Gemm<float> sgemm;
  Gemm<double> dgemm;
  ComplexGemm<complex64> cgemm;
  ComplexGemm<complex128> zgemm;
};
Library library;
bool loaded = false;

/// The folder of the package's library.  Its module is looked up, not run: running it costs 70 ms.
std::string library_path() {
  Object util = Object::steal(PyImport_ImportModule("importlib.util"));
  Object spec = util ? Object::steal(PyObject_CallMethod(util.get(), "find_spec", "s", "scipy_openblas32")) : Object();
  if (!spec) throw PythonError();
  if (spec.get() == Py_None) return "";
  Object origin = Object::steal(PyObject_GetAttrString(spec.get(), "origin"));
  const char* file = origin && PyUnicode_Check(origin.get()) ? PyUnicode_AsUTF8(origin.get()) : nullptr;
  if (!file) throw PythonError();
  std::string path = file;
  path.resize(path.find_last_of('/') + 1);
  return path + "lib/libscipy_openblas.so";
}

void* open_library(const std::string& path) {
  // OpenBLAS would start a thread for each core as it is loaded.
  const char* set = getenv("OPENBLAS_NUM_THREADS");
  std::string before = set ? set : "";
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (set)
    setenv("OPENBLAS_NUM_THREADS", before.c_str(), 1);
  else
    unsetenv("OPENBLAS_NUM_THREADS");
  return handle;
}

template <class F>
void find(void* handle, const char* name, F* function) {
  *function = reinterpret_cast<F>(dlsym(handle, name));
  check(*function, "matmul: the BLAS library has no ", name, ". Reinstall scipy-openblas32.");
}

template <class T>
T number(bool one) {
  return one ? T(1) : T(0);
}

}  // namespace

void load() {
  if (loaded) return;
  std::string path = library_path();
  check(!path.empty(), "matmul: BLAS is missing. Install it: pip install scipy-openblas32");
  void* handle = open_library(path);
  if (!handle) fail(ErrorKind::Runtime, "matmul: cannot load BLAS: ", dlerror());
  void (*set_num_threads)(int);
  find(handle, "scipy_openblas_set_num_threads", &set_num_threads);
  set_num_threads(1);
  find(handle, "scipy_cblas_sgemm", &library.sgemm);
  find(handle, "scipy_cblas_dgemm", &library.dgemm);
  find(handle, "scipy_cblas_cgemm", &library.cgemm);
  find(handle, "scipy_cblas_zgemm", &library.zgemm);
  loaded = true;
}

template <class T>
void gemm(int64_t m, int64_t n, int64_t k, Matrix<const T> a, Matrix<const T> b, bool accumulate, Matrix<T> c) {
  int ta = a.transposed ? trans : no_trans, tb = b.transposed ? trans : no_trans;
  auto call = [&](auto function, auto one, auto beta) {
    function(row_major, ta, tb, int(m), int(n), int(k), one, a.data, int(a.stride), b.data, int(b.stride), beta, c.data,
             int(c.stride));
  };
  T one = 1, beta = number<T>(accumulate);
  if constexpr (std::is_same_v<T, float>)
    call(library.sgemm, one, beta);
  else if constexpr (std::is_same_v<T, double>)
    call(library.dgemm, one, beta);
  else if constexpr (std::is_same_v<T, complex64>)
    call(library.cgemm, &one, &beta);
  else
    call(library.zgemm, &one, &beta);
}

#define INSTANTIATE(T) \
  template void gemm<T>(int64_t, int64_t, int64_t, Matrix<const T>, Matrix<const T>, bool, Matrix<T>);
INSTANTIATE(float)
INSTANTIATE(double)
INSTANTIATE(complex64)
INSTANTIATE(complex128)
#undef INSTANTIATE

}  // namespace lg::blas
