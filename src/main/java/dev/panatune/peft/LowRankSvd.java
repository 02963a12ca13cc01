package dev.panatune.peft;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;

/**
 * A singular value decomposition, or the leading part of one.
 *
 * @param left [rows, n], a vector in a column
 * @param values [n], the largest first
 * @param right [n, columns], a vector in a row
 */
record LowRankSvd(Tensor left, Tensor values, Tensor right) {
  private static final Op QR = Op.find("aten::linalg_qr", "");
  private static final Op SVD = Op.find("aten::linalg_svd", "");

  /**
   * The leading part by subspace iteration from random vectors, as {@code torch.svd_lowrank}:
   * Halko, Martinsson and Tropp, 2009, arXiv:0909.4061, algorithms 4.4 and 5.1. The tensors are in
   * the innermost scope.
   *
   * @param matrix float32 [rows, columns]
   * @param rank how many values
   */
  static LowRankSvd of(Tensor matrix, int rank, int iterations) {
    boolean wide = matrix.size(0) < matrix.size(1);
    Tensor tall = wide ? matrix.t() : matrix;
    Tensor basis = orthonormal(tall.mm(Tensor.randn(DType.FLOAT32, tall.size(1), rank)));
    for (int i = 0; i < iterations; i++) {
      basis = orthonormal(tall.t().mm(basis));
      basis = orthonormal(tall.mm(basis));
    }
    Tensor[] usv = SVD.callAll(basis.t().mm(tall), false);
    Tensor left = basis.mm(usv[0]);
    return wide
        ? new LowRankSvd(usv[2].t(), usv[1], left.t())
        : new LowRankSvd(left, usv[1], usv[2]);
  }

  private static Tensor orthonormal(Tensor columns) {
    return QR.callAll(columns, "reduced")[0];
  }
}
