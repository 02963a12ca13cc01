package dev.panatune.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Fails a test that leaves more (or fewer) live tensors or bytes than it found. */
public final class NoLeaks implements BeforeEachCallback, AfterEachCallback {
  private static final ExtensionContext.Namespace NAMESPACE =
      ExtensionContext.Namespace.create(NoLeaks.class);

  @Override
  public void beforeEach(ExtensionContext context) {
    context.getStore(NAMESPACE).put("before", NativeMemory.read());
  }

  @Override
  public void afterEach(ExtensionContext context) {
    var before = context.getStore(NAMESPACE).get("before", NativeMemory.Stats.class);
    var after = NativeMemory.read();
    assertEquals(before.liveHandles(), after.liveHandles(), "live tensors after the test");
    assertEquals(before.liveBytes(), after.liveBytes(), "live native bytes after the test");
  }
}
