package dev.panatune.model;

import dev.panatune.format.TensorFile;
import dev.panatune.tensor.Tensor;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;
import java.util.Map;

/** The files that the scripts in {@code src/test/python} made. */
public final class ModelFixtures {
  private ModelFixtures() {}

  /** Returns the path of a file in {@code src/test/resources/model}. */
  public static Path path(String name) {
    return resource("/model/" + name);
  }

  /** Returns the path of a file or directory in {@code src/test/resources/parity}. */
  public static Path parity(String name) {
    return resource("/parity/" + name);
  }

  private static Path resource(String name) {
    URL url = ModelFixtures.class.getResource(name);
    if (url == null) {
      throw new AssertionError("no fixture " + name);
    }
    try {
      return Path.of(url.toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  /** Returns the tensors of a fixture, in the innermost scope. */
  public static Map<String, Tensor> tensors(String name) {
    return TensorFile.read(path(name));
  }
}
