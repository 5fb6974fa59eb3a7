// einsum: Einstein's summation, as batched matrix products.
//
// The equation becomes a list of labels per operand.  Then the operands are joined from left to right: labels that
// nobody needs any more are summed, and what is left of the two is either a product element by element (no common label
// is summed) or one bmm over [common kept | own | common summed].
#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "ops/ops.h"

namespace lg {
namespace {

constexpr int num_letters = 52;
constexpr int ellipsis_label = -1;  // before its dimensions are known
constexpr int first_ellipsis_dim =
    num_letters;  // labels from here on: dimensions of the ellipsis, the last one highest
constexpr int num_labels = num_letters + 64;

using Labels = std::vector<int>;

int label_of(char c) { return std::isupper(static_cast<unsigned char>(c)) ? c - 'A' : c - 'a' + 26; }
char letter_of(int label) {
  return label < 26 ? char('A' + label) : label < num_letters ? char('a' + label - 26) : '.';
}
bool contains(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

/// One comma-separated part; `at` is its place in the equation, for messages.
Labels parse_part(const std::string& equation, size_t begin, size_t end) {
  Labels labels;
  for (size_t i = begin; i < end; ++i) {
    char c = equation[i];
    if (c == ' ') continue;
    if (c == '.') {
      check(i + 2 < end && equation[i + 1] == '.' && equation[i + 2] == '.', "einsum(): found '.' at index ", i,
            " that is not part of an ellipsis ('...')");
      check(!contains(labels, ellipsis_label), "einsum(): found '.' at index ", i,
            " for which an ellipsis was already found");
      labels.push_back(ellipsis_label);
      i += 2;
    } else {
      check(std::isalpha(static_cast<unsigned char>(c)), "einsum(): invalid subscript given at index ", i,
            " in the equation string, subscripts must be in [a-zA-Z]");
      labels.push_back(label_of(c));
    }
  }
  return labels;
}

struct Equation {
  std::vector<Labels> inputs;
  Labels output;
  int ellipsis_dims = 0;      // the most that any operand has
  int64_t sizes[num_labels];  // of each label; -1: not used
};

/// Replaces the ellipsis by `count` labels, the last dimension always having the highest.
void spread_ellipsis(Labels* labels, int count) {
  auto at = std::find(labels->begin(), labels->end(), ellipsis_label);
  if (at == labels->end()) return;
  Labels dims(size_t(count), 0);
  for (int i = 0; i < count; ++i) dims[size_t(i)] = num_labels - count + i;
  at = labels->erase(at);
  labels->insert(at, dims.begin(), dims.end());
}

void parse_inputs(const std::string& equation, size_t end, const Tensors& operands, Equation* e) {
  size_t begin = 0;
  for (size_t i = 0; i <= end; ++i) {
    if (i < end && equation[i] != ',') continue;
    check(e->inputs.size() < operands.size(), "einsum(): fewer operands were provided than specified in the equation");
    e->inputs.push_back(parse_part(equation, begin, i));
    begin = i + 1;
  }
  check(e->inputs.size() == operands.size(), "einsum(): more operands were provided than specified in the equation");
  for (size_t i = 0; i < operands.size(); ++i) {
    Labels& labels = e->inputs[i];
    int64_t dims = operands[i].dim(), named = int64_t(labels.size());
    bool ellipsis = contains(labels, ellipsis_label);
    check(ellipsis ? named - 1 <= dims : named == dims, "einsum(): the number of subscripts in the equation (",
          named - ellipsis,
          ellipsis ? ") is more than the number of dimensions (" : ") does not match the number of dimensions (", dims,
          ") for operand ", i, ellipsis ? "" : " and no ellipsis was given");
    int own = ellipsis ? int(dims - named + 1) : 0;
    e->ellipsis_dims = std::max(e->ellipsis_dims, own);
    spread_ellipsis(&labels, own);
  }
}

void find_sizes(const Tensors& operands, Equation* e) {
  std::fill(e->sizes, e->sizes + num_labels, -1);
  for (size_t i = 0; i < operands.size(); ++i)
    for (size_t d = 0; d < e->inputs[i].size(); ++d) {
      int64_t size = operands[i].size(int64_t(d));
      int64_t& seen = e->sizes[e->inputs[i][d]];
      check(seen == -1 || seen == 1 || size == 1 || seen == size, "einsum(): subscript ", letter_of(e->inputs[i][d]),
            " has size ", size, " for operand ", i, " which does not broadcast with previously seen size ", seen);
      if (seen == -1 || seen == 1) seen = size;
    }
}

/// Without "->": the ellipsis, then all letters that occur once, in order.
Labels implied_output(const Equation& e) {
  int count[num_labels] = {};
  for (const Labels& labels : e.inputs)
    for (int label : labels) ++count[label];
  Labels output;
  for (int i = num_labels - e.ellipsis_dims; i < num_labels; ++i) output.push_back(i);
  for (int i = 0; i < num_letters; ++i)
    if (count[i] == 1) output.push_back(i);
  return output;
}

Labels given_output(const std::string& equation, size_t begin, const Equation& e) {
  Labels output = parse_part(equation, begin, equation.size());
  for (size_t i = 0; i < output.size(); ++i) {
    int label = output[i];
    if (label == ellipsis_label) continue;
    check(std::find(output.begin() + long(i) + 1, output.end(), label) == output.end(), "einsum(): output subscript ",
          letter_of(label), " appears more than once in the output");
    check(e.sizes[label] != -1, "einsum(): output subscript ", letter_of(label),
          " does not appear in the equation for any input operand");
  }
  spread_ellipsis(&output, e.ellipsis_dims);
  return output;
}

Equation parse(const std::string& equation, const Tensors& operands) {
  Equation e;
  size_t arrow = equation.find("->");
  parse_inputs(equation, arrow == std::string::npos ? equation.size() : arrow, operands, &e);
  find_sizes(operands, &e);
  e.output = arrow == std::string::npos ? implied_output(e) : given_output(equation, arrow + 2, e);
  return e;
}

/// A tensor and the label of each of its dimensions, no label twice.
struct Term {
  Tensor tensor;
  Labels labels;

  int64_t place(int label) const { return std::find(labels.begin(), labels.end(), label) - labels.begin(); }
  bool has(int label) const { return contains(labels, label); }
};

/// Repeated labels become a diagonal; a size of 1 that broadcasts is the same as no dimension at all.
Term make_term(Tensor x, Labels labels, const Equation& e) {
  for (size_t i = 0; i < labels.size(); ++i)
    for (size_t j = i + 1; j < labels.size(); ++j) {
      if (labels[i] != labels[j]) continue;
      check(x.size(int64_t(i)) == x.size(int64_t(j)), "einsum(): subscript ", letter_of(labels[i]),
            " is repeated for operand dimensions of sizes ", x.size(int64_t(i)), " and ", x.size(int64_t(j)),
            " which don't match");
      x = diagonal(x, 0, int64_t(i), int64_t(j));  // its dimension comes last
      labels.push_back(labels[i]);
      labels.erase(labels.begin() + long(j));
      labels.erase(labels.begin() + long(i));
      i = size_t(-1);  // from the start again
      break;
    }
  for (size_t i = labels.size(); i-- > 0;)
    if (x.size(int64_t(i)) == 1 && e.sizes[labels[i]] != 1) {
      x = squeeze(x, Dims{int64_t(i)});
      labels.erase(labels.begin() + long(i));
    }
  return {std::move(x), std::move(labels)};
}

template <class Keep>
void sum_others(Term* term, Keep&& keep) {
  Dims dims;
  Labels left;
  for (size_t i = 0; i < term->labels.size(); ++i)
    if (keep(term->labels[i]))
      left.push_back(term->labels[i]);
    else
      dims.push_back(int64_t(i));
  if (dims.empty()) return;
  term->tensor = sum(term->tensor, dims, false);
  term->labels = std::move(left);
}

Tensor in_order(const Term& term, const Labels& labels) {
  Dims order;
  bool moved = false;
  for (int label : labels) {
    moved |= term.place(label) != order.size();
    order.push_back(term.place(label));
  }
  return moved ? permute(term.tensor, order) : term.tensor;
}

int64_t count_of(const Equation& e, const Labels& labels) {
  int64_t n = 1;
  for (int label : labels) n *= e.sizes[label];
  return n;
}

Labels joined(Labels a, const Labels& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// a and b as one term over `all` = common, own of a, own of b: sizes of 1 where a label is missing.
Tensor spread_over(const Term& term, const Labels& all) {
  Labels own;
  for (int label : all)
    if (term.has(label)) own.push_back(label);
  Tensor x = in_order(term, own);
  for (size_t i = 0; i < all.size(); ++i)
    if (!term.has(all[i])) x = unsqueeze(x, int64_t(i));
  return x;
}

template <class Keep>
Term join(const Term& a, const Term& b, const Equation& e, Keep&& keep) {
  Labels common, summed, of_a, of_b;
  for (int label : a.labels) (!b.has(label) ? of_a : keep(label) ? common : summed).push_back(label);
  for (int label : b.labels)
    if (!a.has(label)) of_b.push_back(label);
  Labels result = joined(joined(common, of_a), of_b);
  if (summed.empty()) {
    // Any order costs the same here: take the output's if this could be the last step.
    if (result.size() == e.output.size() && std::is_permutation(result.begin(), result.end(), e.output.begin()))
      result = e.output;
    return {spread_over(a, result) * spread_over(b, result), result};
  }
  int64_t batch = count_of(e, common), m = count_of(e, of_a), n = count_of(e, of_b), k = count_of(e, summed);
  Tensor left = reshape(in_order(a, joined(joined(common, of_a), summed)), {batch, m, k});
  Tensor right = reshape(in_order(b, joined(joined(common, summed), of_b)), {batch, k, n});
  Dims size;
  for (int label : result) size.push_back(e.sizes[label]);
  return {view(bmm(left, right), size), result};
}

}  // namespace

Tensor einsum(const std::string& equation, const Tensors& operands) {
  check_value(operands.size() > 0, "einsum(): must provide at least one operand");
  Equation e = parse(equation, operands);
  // Is the label wanted by the output or by an operand after the first `done`?
  auto wanted = [&](size_t done) {
    return [&e, done](int label) {
      if (contains(e.output, label)) return true;
      for (size_t i = done; i < e.inputs.size(); ++i)
        if (contains(e.inputs[i], label)) return true;
      return false;
    };
  };
  Term term = make_term(operands[0], e.inputs[0], e);
  sum_others(&term, wanted(1));
  for (size_t i = 1; i < operands.size(); ++i) {
    Term next = make_term(operands[i], e.inputs[i], e);
    auto keep = wanted(i + 1);
    sum_others(&next, [&](int label) { return keep(label) || term.has(label); });
    sum_others(&term, [&](int label) { return keep(label) || next.has(label); });
    term = join(term, next, e, keep);
  }
  Tensor y = in_order(term, e.output);
  bool is_operand = y.is(operands[0]);  // the result is a tensor of its own, if only a view
  return is_operand ? view(y, y.sizes()) : y;
}

}  // namespace lg
