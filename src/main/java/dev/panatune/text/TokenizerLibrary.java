package dev.panatune.text;

import ai.djl.engine.EngineException;
import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.panatune.error.NativeLibraryException;
import dev.panatune.natives.PanatuneHome;

/**
 * Hugging Face's tokenizers, compiled, as the DJL jar carries it for this machine.
 *
 * <p>DJL would ask for the CUDA version and download a build for it: the CPU build in the jar is
 * asked for by name, downloads are off, and the library is unpacked into Panatune's own cache. What
 * the environment or a system property says already is left as it is.
 */
final class TokenizerLibrary {
  private static boolean ready;

  private TokenizerLibrary() {}

  static synchronized TokenizersLibrary get() {
    if (!ready) {
      load();
      ready = true;
    }
    return TokenizersLibrary.LIB;
  }

  private static void load() {
    setUnlessSet("RUST_FLAVOR", "cpu");
    setUnlessSet("ENGINE_CACHE_DIR", PanatuneHome.path().resolve("djl").toString());
    if (System.getProperty("ai.djl.offline") == null) {
      System.setProperty("ai.djl.offline", "true");
    }
    try {
      LibUtils.checkStatus();
    } catch (EngineException | LinkageError | IllegalStateException e) {
      throw new NativeLibraryException(
          "the tokenizers library cannot be loaded from its jar: "
              + e.getMessage()
              + "; PANATUNE_HOME ("
              + PanatuneHome.path()
              + ") must be writable, and the machine one of Linux x86-64, Linux aarch64, macOS"
              + " aarch64 or Windows x86-64",
          e);
    }
  }

  private static void setUnlessSet(String name, String value) {
    if (System.getenv(name) == null && System.getProperty(name) == null) {
      System.setProperty(name, value);
    }
  }
}
