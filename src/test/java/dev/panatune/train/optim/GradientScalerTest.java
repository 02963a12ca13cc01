package dev.panatune.train.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class GradientScalerTest {
  @Test
  void halvesAtAnOverflowAndDoublesAfterTwoThousandGoodSteps() {
    GradientScaler scaler = new GradientScaler();
    assertTrue(scaler.overflowed());
    assertEquals(32768, scaler.scale());
    for (int i = 0; i < 1999; i++) {
      scaler.succeeded();
    }
    assertEquals(32768, scaler.scale());
    scaler.succeeded();
    assertEquals(65536, scaler.scale());
    assertEquals(0, scaler.goodSteps());
  }

  @Test
  void anOverflowStartsTheCountAnew() {
    GradientScaler scaler = new GradientScaler();
    scaler.succeeded();
    scaler.overflowed();
    assertEquals(0, scaler.goodSteps());
  }

  @Test
  void givesUpWhenTheFactorCannotHelpAnyMore() {
    GradientScaler scaler = new GradientScaler();
    int tries = 0;
    while (scaler.overflowed()) {
      tries++;
    }
    assertEquals(32, tries);
    assertFalse(scaler.overflowed());
  }
}
