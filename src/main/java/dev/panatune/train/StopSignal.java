package dev.panatune.train;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A request to stop, which a run obeys at its next step: it saves a checkpoint and returns.
 *
 * <p>{@link #install} ties it to SIGINT and SIGTERM: the first one makes the request, a second one
 * halts the process at once with exit code 128 + its number (130 or 143). Any thread may make the
 * request.
 */
public final class StopSignal implements AutoCloseable {
  /** What {@link #request} stands for: the number of SIGTERM. */
  private static final int BY_PROGRAM = 15;

  private final AtomicInteger received = new AtomicInteger();
  private final List<OsSignals.Handling> handlings = new ArrayList<>();

  /** A signal that only {@link #request} sets. */
  public StopSignal() {}

  /**
   * A signal that SIGINT and SIGTERM set too, until it is closed. Where the Java runtime cannot
   * handle signals, it keeps what it does by itself (it ends).
   */
  public static StopSignal install() {
    StopSignal signal = new StopSignal();
    OsSignals.handle("INT", signal::receive).ifPresent(signal.handlings::add);
    OsSignals.handle("TERM", signal::receive).ifPresent(signal.handlings::add);
    return signal;
  }

  /** Asks the run to stop, as SIGTERM does. */
  public void request() {
    received.compareAndSet(0, BY_PROGRAM);
  }

  /** Whether a stop was asked for. */
  public boolean isRequested() {
    return received.get() != 0;
  }

  /** The number of the signal that asked for the stop: 2 for SIGINT, 15 for SIGTERM. */
  public OptionalInt number() {
    int number = received.get();
    return number == 0 ? OptionalInt.empty() : OptionalInt.of(number);
  }

  /** Gives SIGINT and SIGTERM back to whom they belonged before. Twice is fine. */
  @Override
  public void close() {
    handlings.forEach(OsSignals.Handling::restore);
    handlings.clear();
  }

  private void receive(int number) {
    if (!received.compareAndSet(0, number)) {
      Runtime.getRuntime().halt(128 + number);
    }
  }
}
