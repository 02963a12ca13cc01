package dev.panatune.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ModuleTest {
  private static Tensor weight(long... shape) {
    return Tensor.ones(DType.FLOAT32, shape).keep();
  }

  private static Linear linear(long out, long in) {
    return new Linear(weight(out, in), null);
  }

  private static GatedMlp mlp() {
    return new GatedMlp(linear(6, 4), linear(6, 4), linear(4, 6), Activation.SILU);
  }

  /** Wraps a layer as an adapter does. */
  private static final class Wrapper extends Module implements LinearLayer {
    private final Slot<LinearLayer> base;

    private Wrapper(LinearLayer base) {
      this.base = addChild("base_layer", LinearLayer.class, base);
      addParameter("extra", weight(3));
    }

    @Override
    public Tensor forward(Tensor input) {
      return base.get().forward(input).mul(2);
    }

    @Override
    public long inFeatures() {
      return base.get().inFeatures();
    }

    @Override
    public long outFeatures() {
      return base.get().outFeatures();
    }
  }

  /** Two modules over one tensor, as a tied head. */
  private static final class Tied extends Module {
    private Tied(Tensor table) {
      addChild("embed_tokens", UnaryLayer.class, new Embedding(table));
      addChild("lm_head", LinearLayer.class, new Linear(table, null));
    }
  }

  @Test
  void namesModulesAndParametersByPath() {
    try (var layers = new ModuleList<>(GatedMlp.class, List.of(mlp(), mlp()))) {
      assertEquals(
          List.of("", "0", "0.gate_proj", "0.up_proj", "0.down_proj"),
          layers.namedModules().map(Map.Entry::getKey).limit(5).toList());
      assertEquals("1.up_proj", layers.child("1.up_proj").path());
      assertEquals(6, layers.namedParameters().size());
      assertSame(
          ((Linear) layers.child("1.down_proj")).weight(), layers.parameter("1.down_proj.weight"));
    }
  }

  @Test
  void saysWhatThereIsWhereAPathLeadsNowhere() {
    try (GatedMlp mlp = mlp()) {
      var child = assertThrows(ConfigurationException.class, () -> mlp.child("q_proj"));
      assertEquals(
          "There is no module q_proj: the model has gate_proj, up_proj, down_proj",
          child.getMessage());
      var parameter =
          assertThrows(ConfigurationException.class, () -> mlp.parameter("up_proj.bias"));
      assertEquals(
          "There is no parameter up_proj.bias: up_proj has weight", parameter.getMessage());
    }
  }

  @Test
  void replacedChildIsUsedByTheNextForward() {
    try (GatedMlp mlp = mlp();
        TensorScope _ = TensorScope.open()) {
      Tensor input = Tensor.ones(DType.FLOAT32, 1, 4);
      double before = mlp.forward(input).select(1, 0).item();
      LinearLayer base = (LinearLayer) mlp.child("up_proj");
      Wrapper wrapper = new Wrapper(base);
      mlp.replaceChild("up_proj", wrapper);

      assertEquals(2 * before, mlp.forward(input).select(1, 0).item(), 1e-4 * before);
      assertEquals("up_proj.base_layer", ((Module) base).path());
      assertTrue(mlp.namedParameters().containsKey("up_proj.base_layer.weight"));
      assertTrue(mlp.namedParameters().containsKey("up_proj.extra"));
    }
  }

  @Test
  void unwrappedChildSurvivesItsWrapper() {
    try (GatedMlp mlp = mlp()) {
      Linear base = (Linear) mlp.child("up_proj");
      Wrapper wrapper = new Wrapper(base);
      mlp.replaceChild("up_proj", wrapper);
      mlp.replaceChild("up_proj", base);
      wrapper.close();

      assertEquals("up_proj", base.path());
      assertFalse(base.weight().isClosed());
    }
  }

  @Test
  void refusesAChildOfAnotherKind() {
    try (GatedMlp mlp = mlp();
        Embedding table = new Embedding(weight(3, 4))) {
      var error =
          assertThrows(ConfigurationException.class, () -> mlp.replaceChild("gate_proj", table));
      assertEquals("gate_proj needs a LinearLayer, and Embedding is none", error.getMessage());
      assertEquals(
          List.of("gate_proj", "up_proj", "down_proj"), List.copyOf(mlp.children().keySet()));
    }
  }

  @Test
  void sharedParameterAppearsOnceAndStaysShared() {
    try (Tied tied = new Tied(weight(5, 4))) {
      assertEquals(List.of("embed_tokens.weight"), List.copyOf(tied.namedParameters().keySet()));
      assertEquals(20, tied.parameterCount());

      Tensor old = tied.parameter("lm_head.weight");
      Tensor other = weight(5, 4);
      tied.replaceParameter("embed_tokens.weight", other);
      old.close();
      assertSame(other, tied.parameter("lm_head.weight"));
    }
  }

  @Test
  void trainsWhatIsToldTo() {
    try (GatedMlp mlp = mlp()) {
      assertEquals(Map.of(), mlp.trainableParameters());
      mlp.child("up_proj").setTrainable(true);
      assertEquals(List.of("up_proj.weight"), List.copyOf(mlp.trainableParameters().keySet()));
    }
  }

  @Test
  void closingFreesEverything() {
    long before = TensorScope.liveTensors();
    GatedMlp mlp = mlp();
    mlp.replaceChild("up_proj", new Wrapper((LinearLayer) mlp.child("up_proj")));
    assertEquals(before + 4, TensorScope.liveTensors());
    mlp.close();
    mlp.close();
    assertEquals(before, TensorScope.liveTensors());
  }
}
