package dev.panatune.train;

import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Optional;
import java.util.function.IntConsumer;

/**
 * Signals of the operating system. Java has no public interface for them; {@code sun.misc.Signal}
 * is exported by {@code jdk.unsupported} and reached by reflection, so that a runtime without it
 * still loads this class.
 */
final class OsSignals {
  /** A handler in place, which can be taken away again. */
  interface Handling {
    void restore();
  }

  private OsSignals() {}

  /** Lets {@code handler} have the signal's number when it comes; empty where that cannot be. */
  static Optional<Handling> handle(String name, IntConsumer handler) {
    try {
      Class<?> signalType = Class.forName("sun.misc.Signal");
      Class<?> handlerType = Class.forName("sun.misc.SignalHandler");
      Object signal = signalType.getConstructor(String.class).newInstance(name);
      int number = (int) signalType.getMethod("getNumber").invoke(signal);
      Object proxy =
          Proxy.newProxyInstance(
              OsSignals.class.getClassLoader(),
              new Class<?>[] {handlerType},
              (self, method, arguments) -> {
                if (method.getDeclaringClass() == Object.class) {
                  return ofObject(self, method, arguments);
                }
                handler.accept(number);
                return null;
              });
      Method handle = signalType.getMethod("handle", signalType, handlerType);
      Object previous = handle.invoke(null, signal, proxy);
      return Optional.of(() -> restore(handle, signal, previous));
    } catch (ReflectiveOperationException e) {
      // No such class in this runtime, or the signal is taken (a JVM started with -Xrs).
      return Optional.empty();
    }
  }

  private static void restore(Method handle, Object signal, Object previous) {
    try {
      handle.invoke(null, signal, previous);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("could not restore the handler of " + signal, e);
    }
  }

  private static Object ofObject(Object self, Method method, Object[] arguments) {
    return switch (method.getName()) {
      case "equals" -> self == arguments[0];
      case "hashCode" -> System.identityHashCode(self);
      default -> "handler of Panatune";
    };
  }
}
