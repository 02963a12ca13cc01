package dev.panatune.train;

import dev.panatune.tensor.Threads;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Runs the tests of a class with one thread an operation: tensors of a few elements gain nothing
 * from more, and threads that wait for each other lose much where other programs run too.
 */
public final class OneThread implements BeforeAllCallback, AfterAllCallback {
  private int before;

  @Override
  public void beforeAll(ExtensionContext context) {
    before = Threads.intraOp();
    Threads.setIntraOp(1);
  }

  @Override
  public void afterAll(ExtensionContext context) {
    Threads.setIntraOp(before);
  }
}
