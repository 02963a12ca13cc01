package dev.panatune.text.jinja;

import java.util.AbstractList;
import java.util.Objects;

/** {@code range(start, stop, step)}, of at most 100,000 elements as in Jinja's sandbox. */
final class Range extends AbstractList<Object> {
  private static final long MAX_SIZE = 100_000;

  private final long start;
  private final long stop;
  private final long step;
  private final int size;

  private Range(long start, long stop, long step, int size) {
    this.start = start;
    this.stop = stop;
    this.step = step;
    this.size = size;
  }

  static Range of(long start, long stop, long step) {
    if (step == 0) {
      throw JinjaException.type("range() arg 3 must not be zero");
    }
    double span = step > 0 ? (double) stop - start : (double) start - stop;
    double size = Math.max(0, Math.ceil(span / Math.abs((double) step)));
    if (size > MAX_SIZE) {
      throw JinjaException.limit(
          "Range too big. The sandbox blocks ranges larger than MAX_RANGE (" + MAX_SIZE + ").");
    }
    return new Range(start, stop, step, (int) size);
  }

  /** Every so many of the elements from one index to another. */
  Range slice(long from, long to, long stride) {
    return of(start + from * step, start + to * step, step * stride);
  }

  @Override
  public Object get(int index) {
    return start + Objects.checkIndex(index, size) * step;
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public String toString() {
    return "range(" + start + ", " + stop + (step == 1 ? "" : ", " + step) + ")";
  }
}
