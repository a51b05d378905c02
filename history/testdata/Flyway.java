import java.util.HashMap;
import java.util.Map;
import org.flywaydb.core.Flyway;

/** Runs Flyway's migrate with the settings that the arguments give as key=value. */
public class Run {
    public static void main(String[] args) {
        Map<String, String> settings = new HashMap<>();
        for (String a : args) {
            settings.put(a.substring(0, a.indexOf('=')), a.substring(a.indexOf('=') + 1));
        }
        System.out.println("migrations: " + Flyway.configure().configuration(settings).load().migrate().migrationsExecuted);
    }
}
