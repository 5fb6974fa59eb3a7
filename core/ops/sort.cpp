// Sorting, selection by rank, and unique.  The gradient of every selection goes back to where the values came from.
#include "kernels/table.h"
#include "ops/reduce.h"

#include <algorithm>
#include <vector>

namespace lg {

namespace {

/// Values and indices with room for `size` elements along `dim`.
std::pair<Tensor, Tensor> room_along(const char* op, const Tensor& x, int64_t dim, int64_t size) {
  check(!is_complex(x.dtype()), op, ": ", op, " does not support complex dtypes on CPU");
  check(x.dim() == 0 || x.size(dim) <= INT32_MAX, op, ": dimension ", dim, " is too long to sort");
  Dims sizes = x.sizes();
  if (x.dim()) sizes[dim] = size;
  return {make_tensor(sizes, x.dtype(), x.device()), make_tensor(sizes, DType::Int64, x.device())};
}

std::pair<Tensor, Tensor> selected(const char* node, const Tensor& x, std::pair<Tensor, Tensor> result, int64_t dim,
                                   bool keepdim) {
  auto& [values, indices] = result;
  if (Recorder record{node, values, x})
    record.vjp([indices = record.save("indices", indices), sizes = x.sizes(), dim, keepdim](const Tensor& g) {
      return scatter_back(g, dim, *indices, sizes, keepdim);
    });
  return result;
}

}  // namespace

static std::pair<Tensor, Tensor> sort_as(const char* node, const Tensor& x, int64_t dim, bool descending) {
  dim = checked_dim("sort", x, dim);
  auto result = room_along("sort", x, dim, x.dim() ? x.size(dim) : 1);
  x.kernels().sort(result.first.strided(), result.second.strided(), x.strided(), dim, descending);
  return selected(node, x, result, dim, true);
}

std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t dim, bool descending, bool) {  // every sort here is stable
  return sort_as("SortBackward0", x, dim, descending);
}

std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim, bool largest, bool) {  // sorted or not: sorted
  dim = checked_dim("topk", x, dim);
  check(k >= 0 && k <= (x.dim() ? x.size(dim) : 1), "topk: selected index k out of range");
  auto result = room_along("topk", x, dim, k);
  x.kernels().topk(result.first.strided(), result.second.strided(), x.strided(), dim, largest);
  return selected("TopkBackward0", x, result, dim, true);
}

namespace {

using Selection = std::pair<Tensor, Tensor>;

/// One element of each line along `dim`: `select` gets values, indices, x.
template <class F>
Selection select_one(const char* op, const char* node, const Tensor& x, int64_t dim, bool keepdim, F&& select) {
  check_implemented(!is_complex(x.dtype()), op, x);
  dim = checked_dim(op, x, dim, true);
  const Reduction r(op, x, {dim}, keepdim);
  Selection result{r.make(x.dtype(), x.device()), r.make(DType::Int64, x.device())};
  select(r.look(result.first), r.look(result.second), x.strided(), dim);
  return selected(node, x, result, dim, keepdim);
}

Selection kthvalue(const Tensor& x, int64_t k, int64_t dim, bool keepdim) {
  dim = checked_dim("kthvalue", x, dim, true);
  check(k >= 1 && k <= (x.dim() ? x.size(dim) : 1), "kthvalue(): selected number k out of range for dimension ", dim);
  return select_one("kthvalue", "KthvalueBackward0", x, dim, keepdim,
                    [&](Strided values, Strided indices, Strided in, int64_t dim) {
                      x.kernels().select_rank(values, indices, in, dim, k - 1, false);
                    });
}

template <bool skip_nan>
Selection median_along(const Tensor& x, int64_t dim, bool keepdim) {
  return select_one(skip_nan ? "nanmedian" : "median", skip_nan ? "NanmedianBackward1" : "MedianBackward1", x, dim,
                    keepdim, [&](Strided values, Strided indices, Strided in, int64_t dim) {
                      x.kernels().select_rank(values, indices, in, dim, -1, skip_nan);
                    });
}

template <bool skip_nan>
Tensor median(const Tensor& x) {
  if (x.numel() == 0)
    return full({}, is_floating(x.dtype()) ? Scalar(double(NAN)) : Scalar(INT64_MIN), x.dtype(), x.device());
  Tensor y;
  {
    NoGrad off;
    y = median_along<skip_nan>(reshape(x, {-1}), 0, false).first;
  }
  if (Recorder record{skip_nan ? "NanmedianBackward0" : "MedianBackward0", y, x})
    record.vjp([x = record.save("self", x), y = record.save("result", y)](const Tensor& g) {
      return share_evenly(g, *x, *y, ~uint64_t(0));
    });
  return y;
}

Selection mode(const Tensor& x, int64_t dim, bool keepdim) {
  return select_one("mode", "ModeBackward0", x, dim, keepdim, x.kernels().mode);
}

// ---- unique: of elements, or of the rows along a dimension

struct Runs {
  std::vector<int64_t> order;   // rows of x, equals next to each other
  std::vector<int64_t> starts;  // where in `order` each run begins, and the end
};

/// Groups n rows of `width` contiguous elements into runs of equals.
Runs find_runs(const Tensor& rows, int64_t n, int64_t width, bool sorted) {
  Runs runs;
  runs.order.resize(size_t(n));
  for (int64_t i = 0; i < n; ++i) runs.order[size_t(i)] = i;
  dispatch_all(rows.dtype(), [&]<class T>() {
    const T* x = rows.data<T>();
    if (sorted && width == 1) {
      NoGrad off;
      const Tensor order = lg::sort(rows, 0, false, true).second;
      std::copy_n(order.data<int64_t>(), n, runs.order.begin());
    } else if (sorted) {
      if constexpr (!is_complex_v<T>)
        std::stable_sort(runs.order.begin(), runs.order.end(), [&](int64_t a, int64_t b) {
          return std::lexicographical_compare(x + a * width, x + (a + 1) * width, x + b * width, x + (b + 1) * width,
                                              [](T p, T q) { return Compute<T>(p) < Compute<T>(q); });
        });
    }
    for (int64_t i = 0; i < n; ++i) {
      const T* row = x + runs.order[size_t(i)] * width;
      const bool same = i && std::equal(row, row + width, x + runs.order[size_t(i - 1)] * width,
                                        [](T p, T q) { return Compute<T>(p) == Compute<T>(q); });
      if (!same) runs.starts.push_back(i);
    }
  });
  runs.starts.push_back(n);
  return runs;
}

/// One tensor alone, several as a tuple: unique's result depends on its flags.
Object one_or_tuple(Tensors results) {
  if (results.size() == 1) return Object::steal(results[0].release());
  PyObject* tuple = PyTuple_New(Py_ssize_t(results.size()));
  if (!tuple) throw PythonError();
  for (size_t i = 0; i < results.size(); ++i) PyTuple_SET_ITEM(tuple, Py_ssize_t(i), results[i].release());
  return Object::steal(tuple);
}

Object distinct(const char* op, const char* node, const Tensor& x, bool sorted, bool return_inverse, bool return_counts,
                std::optional<int64_t> dim) {
  if (x.is_meta()) fail(ErrorKind::NotImplemented, op, ": the shape depends on values, which a meta tensor has not");
  check(!sorted || !is_complex(x.dtype()), op, ": complex numbers have no order");
  if (dim) dim = checked_dim(op, x, *dim);
  Tensor front, values, inverse, counts;
  int64_t n;
  {
    NoGrad off;
    front = dim && x.dim() ? contiguous(transpose(x, 0, *dim)) : reshape(contiguous(x), {-1});
    n = front.size(0);
    const Runs runs = find_runs(front, n, n ? front.numel() / n : 1, sorted);
    const int64_t count = int64_t(runs.starts.size()) - 1;
    Tensor firsts = make_tensor({count}, DType::Int64);
    inverse = make_tensor({n}, DType::Int64);
    counts = make_tensor({count}, DType::Int64);
    for (int64_t run = 0; run < count; ++run) {
      const int64_t begin = runs.starts[size_t(run)], end = runs.starts[size_t(run + 1)];
      firsts.data<int64_t>()[run] = runs.order[size_t(begin)];
      counts.data<int64_t>()[run] = end - begin;
      for (int64_t i = begin; i < end; ++i) inverse.data<int64_t>()[runs.order[size_t(i)]] = run;
    }
    values = index_select(front, 0, firsts);
    if (dim && x.dim())
      values = contiguous(transpose(values, 0, *dim));
    else
      inverse = reshape(inverse, x.sizes());
  }
  if (Recorder record{node, values, x})
    record.vjp([op, name = dim      ? "unique_dim"
                           : sorted ? "_unique2"
                                    : "unique_consecutive"](const Tensor&) -> Tensor {
      fail(ErrorKind::NotImplemented, op, ": the derivative for '", name, "' is not implemented.");
    });
  Tensors results{values};
  if (return_inverse) results.push_back(inverse);
  if (return_counts) results.push_back(counts);
  return one_or_tuple(std::move(results));
}

Object unique(const Tensor& x, bool, bool return_inverse, bool return_counts, std::optional<int64_t> dim) {
  return distinct("unique", dim ? "UniqueDimBackward0" : "Unique2Backward0", x, true, return_inverse, return_counts,
                  dim);
}

Object unique_consecutive(const Tensor& x, bool return_inverse, bool return_counts, std::optional<int64_t> dim) {
  return distinct("unique_consecutive", "UniqueConsecutiveBackward0", x, false, return_inverse, return_counts, dim);
}

// ---- places in a sorted sequence

Tensor searchsorted(const Tensor& sequence, const Tensor& values, bool out_int32, bool right,
                    std::optional<std::string> side, const Tensor& sorter) {
  const char* op = "searchsorted";
  check(!side || *side == "left" || *side == "right", op, "(): side can only be 'left' or 'right' but got ",
        side.value_or(""));
  check(!side || !right || *side == "right", op,
        "(): side and right can't be set to opposites, got side of left while "
        "right was True");
  check(sequence.dim() > 0, op, "(): boundaries tensor should have positive dimension, but got 0 dimension");
  bool fits = sequence.dim() == 1 || sequence.dim() == values.dim();
  for (int64_t d = 0; fits && sequence.dim() > 1 && d < sequence.dim() - 1; ++d)
    fits = sequence.size(d) == values.size(d);
  check(fits, op,
        "(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input "
        "value tensor must match, but we got boundaries tensor ",
        sequence.sizes(), " and input value tensor ", values.sizes());
  check(!sorter || sorter.sizes() == sequence.sizes(), op,
        "(): boundary and sorter must have the same size, but got "
        "boundary tensor ",
        sequence.sizes(), " and got sorter tensor ", sorter ? sorter.sizes() : Dims());
  check(!sorter || sorter.dtype() == DType::Int64, op, "(): sorter must be a tensor of long dtype but got dtype ",
        scalar_type_name(sorter ? sorter.dtype() : DType::Int64));
  NoGrad off;
  const DType dtype = result_type(sequence, values);
  check_implemented(!is_complex(dtype) && dtype != DType::Bool, op, sequence);
  const Tensor line = contiguous(cast(sequence, dtype)), wanted = contiguous(cast(values, dtype));
  const Tensor order = sorter ? contiguous(sorter) : none;
  if (order && !order.is_meta())
    for (int64_t i = 0; i < order.numel(); ++i)
      check(order.data<int64_t>()[i] >= 0 && order.data<int64_t>()[i] < sequence.size(-1), op,
            "(): sorter index out of range");
  Tensor y = make_tensor(values.sizes(), DType::Int64, values.device());
  y.kernels().searchsorted(y.strided(), line.strided(), wanted.strided(), order ? order.strided() : Strided(),
                           right || (side && *side == "right"));
  return out_int32 ? cast(y, DType::Int32) : y;
}

Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool out_int32, bool right) {
  check(boundaries.dim() == 1, "bucketize(): boundaries tensor must be 1 dimension, but got dim(", boundaries.dim(),
        ")");
  return searchsorted(boundaries, x, out_int32, right, {}, none);
}

}  // namespace

void def_sort(Ops& ops) {
  ops.def(
         "sort", +[](const Tensor& x, int64_t dim, bool descending) { return sort(x, dim, descending, true); },
         "input"_a, "dim"_a = -1, "descending"_a = false, "Elements in order along `dim`, and where they were; stable.")
      .returns({"values", "indices"});
  ops.def(
         "sort",
         +[](const Tensor& x, std::optional<bool>, int64_t dim, bool descending) {
           return sort_as("SortBackward1", x, dim, descending);
         },
         "input"_a, kw_only, "stable"_a, "dim"_a = -1, "descending"_a = false,
         "Elements in order along `dim`, and where they were; stable.")
      .returns({"values", "indices"});
  ops.def(
      "argsort",
      +[](const Tensor& x, int64_t dim, bool descending, bool) {
        NoGrad off;
        return sort(x, dim, descending, true).second;
      },
      "input"_a, "dim"_a = -1, "descending"_a = false, kw_only, "stable"_a = false,
      "Indices that sort along `dim`; stable.");
  ops.def(
      "msort", +[](const Tensor& x) { return sort(x, 0, false, true).first; }, "input"_a,
      "Elements in order along the first dimension.");
  ops.def(
         "topk",
         +[](const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted) {
           return topk(x, k, dim, largest, sorted);
         },
         "input"_a, "k"_a, "dim"_a = -1, "largest"_a = true, "sorted"_a = true,
         "The `k` greatest (least) elements along `dim` and their indices.")
      .returns({"values", "indices"});
  ops.def("kthvalue", &kthvalue, "input"_a, "k"_a, "dim"_a = -1, "keepdim"_a = false,
          "The `k`-th least element along `dim`, from 1, and its index.")
      .returns({"values", "indices"});
  ops.def("median", &median<false>, "input"_a, "The lower middle of all elements, or along `dim` with its index.");
  ops.def("median", &median_along<false>, "input"_a, "dim"_a, "keepdim"_a = false, "The lower middle along `dim`.")
      .returns({"values", "indices"});
  ops.def("nanmedian", &median<true>, "input"_a, "The lower middle of the elements that are not NaN.");
  ops.def("nanmedian", &median_along<true>, "input"_a, "dim"_a, "keepdim"_a = false,
          "The lower middle of the elements that are not NaN.")
      .returns({"values", "indices"});
  ops.def("mode", &mode, "input"_a, "dim"_a = -1, "keepdim"_a = false,
          "The most frequent element along `dim` and its last index.")
      .returns({"values", "indices"});
  ops.def("unique", &unique, "input"_a, "sorted"_a = true, "return_inverse"_a = false, "return_counts"_a = false,
          "dim"_a = None, "Distinct elements in order, or distinct slices along `dim`.");
  ops.def("unique_consecutive", &unique_consecutive, "input"_a, "return_inverse"_a = false, "return_counts"_a = false,
          "dim"_a = None, "Elements without those that equal the one before.");
  ops.def("searchsorted", &searchsorted, "sorted_sequence"_a, "input"_a.or_number(), kw_only, "out_int32"_a = false,
          "right"_a = false, "side"_a = None, "sorter"_a = None, "Where `input` would go into the sorted sequence.")
      .function_only();
  ops.def("bucketize", &bucketize, "input"_a.or_number(), "boundaries"_a, kw_only, "out_int32"_a = false,
          "right"_a = false, "Index of the bucket between `boundaries` that holds each element.")
      .function_only();
}

}  // namespace lg
