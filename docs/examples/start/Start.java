// A server to begin with, at stage 1: it serves one visitor at a time.
import java.io.*;
import java.net.*;
import static java.nio.charset.StandardCharsets.ISO_8859_1;

public class Start {
    static final int MAX_HEAD = 65536, MAX_INPUT = 262144; // bytes
    static double slow; // how many seconds GET /sleep takes

    public static void main(String[] args) throws Exception {
        slow = Double.parseDouble(args[1]);
        ServerSocket listener = new ServerSocket(Integer.parseInt(args[0]), 128, InetAddress.getLoopbackAddress());
        while (true) {
            try {
                handle(listener.accept());
            } catch (IOException e) { // no file descriptor is left; one will be
                Thread.sleep(1000);
            }
        }
    }

    // handle answers one request and closes the connection. A visitor may leave at any time.
    static void handle(Socket visitor) throws InterruptedException {
        try (visitor) {
            String status = "404 Not Found", page = "<h1>Oops!</h1>";
            String head = readRequest(new BufferedInputStream(visitor.getInputStream()));
            String[] words = head.split("\r?\n", 2)[0].split(" ");
            if (head.length() > MAX_HEAD) {
                status = "431 Request Header Fields Too Large";
            } else if (words.length != 3 || !words[2].startsWith("HTTP/1.")) {
                status = "400 Bad Request";
            } else if (words[0].equals("GET") && (words[1].equals("/") || words[1].equals("/sleep"))) {
                if (words[1].equals("/sleep")) Thread.sleep((long) (slow * 1000));
                status = "200 OK";
                page = "<h1>Hello!</h1>";
            }
            visitor.getOutputStream().write(("HTTP/1.1 " + status + "\r\nContent-Type: text/html\r\nContent-Length: "
                + page.length() + "\r\nConnection: close\r\n\r\n" + page).getBytes(ISO_8859_1));
        } catch (IOException e) {
        }
    }

    // readRequest reads a request to its end, and returns its head.
    static String readRequest(InputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        int length = 0, start = 0; // of the body, and of the line
        for (int b; (b = in.read()) >= 0 && head.length() <= MAX_HEAD; ) {
            head.append((char) b);
            if (b != '\n') continue;
            String line = head.substring(start).strip();
            start = head.length();
            if (line.isEmpty()) {
                in.readNBytes(Math.min(length, MAX_INPUT)); // unread input is a reset
                return head.toString();
            }
            if (line.toLowerCase().matches("content-length:\\s*\\d{1,9}")) {
                length = Integer.parseInt(line.substring(15).strip());
            }
        }
        if (head.length() == 0) throw new EOFException("the visitor has said nothing");
        return head.toString();
    }
}
