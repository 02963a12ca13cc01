package dev.panatune.tensor;

import dev.panatune.error.ConfigurationException;

/**
 * Where a tensor's memory is.
 *
 * @param kind the sort of device
 * @param index which one of its sort, from 0
 */
public record Device(Kind kind, int index) {
  /** Sorts of devices, with libtorch's numbers for them. */
  public enum Kind {
    CPU(0),
    CUDA(1);

    private final int deviceType;

    Kind(int deviceType) {
      this.deviceType = deviceType;
    }

    int deviceType() {
      return deviceType;
    }
  }

  /** The host's memory. */
  public static final Device CPU = new Device(Kind.CPU, 0);

  /** The CUDA device of that index. */
  public static Device cuda(int index) {
    return new Device(Kind.CUDA, index);
  }

  static Device of(int deviceType, int index) {
    return switch (deviceType) {
      case 0 -> CPU;
      case 1 -> cuda(index);
      default ->
          throw new IllegalStateException("device type " + deviceType + " is not supported here");
    };
  }

  /**
   * Reads {@code cpu}, {@code cuda} or {@code cuda:1}.
   *
   * @throws ConfigurationException if it is neither
   */
  public static Device parse(String text) {
    if (text.equals("cpu")) {
      return CPU;
    }
    if (text.equals("cuda")) {
      return cuda(0);
    }
    if (text.matches("cuda:\\d{1,3}")) {
      return cuda(Integer.parseInt(text.substring("cuda:".length())));
    }
    throw new ConfigurationException(
        "unknown device '" + text + "'; write cpu, cuda or cuda:<index>");
  }

  @Override
  public String toString() {
    return kind == Kind.CPU ? "cpu" : "cuda:" + index;
  }

  /** The form in which a device crosses the ABI (PT_DEVICE of panatune.h). */
  long packed() {
    int shown = kind == Kind.CPU ? -1 : index;
    return ((long) kind.deviceType() << 32) | (shown & 0xffffffffL);
  }
}
