// SPDX-License-Identifier: BSD-3-Clause
// Both ends of Java's talks: Talk blocking|nio|http|datagrams serve|ask ADDRESS PORT; the asking end prints facts as JSON.

import com.sun.net.httpserver.HttpServer;
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class Talk {
    static final byte[] BLOCK = new byte[100_000];

    static void ready() {
        System.out.println("ready");
        System.out.flush();
    }

    static boolean echoed(String host, int port, int seed) {
        byte[] data = new byte[BLOCK.length + seed];
        Arrays.fill(data, (byte) seed);
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(host, port), 5000);
            socket.setSoTimeout(10_000);
            socket.setTcpNoDelay(true);
            Thread writer = new Thread(() -> {
                try {
                    socket.getOutputStream().write(data);
                    socket.shutdownOutput();
                } catch (IOException error) {
                    throw new UncheckedIOException(error);
                }
            });
            writer.start();
            byte[] got = socket.getInputStream().readAllBytes();
            writer.join();
            return Arrays.equals(got, data);
        } catch (Exception error) {
            return false;
        }
    }

    static String failure(Callable<Object> call) {
        try {
            call.call();
            return "none";
        } catch (Exception error) {
            return error.getClass().getSimpleName();
        }
    }

    static long many(String host, int port, int count) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(count);
        List<Callable<Boolean>> calls = IntStream.range(0, count)
            .mapToObj(i -> (Callable<Boolean>) () -> echoed(host, port, i)).collect(Collectors.toList());
        long good = 0;
        for (Future<Boolean> result : pool.invokeAll(calls)) good += result.get() ? 1 : 0;
        pool.shutdown();
        return good;
    }

    static void blockingServe(String host, int port) throws Exception {
        ServerSocket listener = new ServerSocket(port, 50);
        ready();
        while (true) {
            Socket socket = listener.accept();
            new Thread(() -> {
                try (socket) {
                    socket.getInputStream().transferTo(socket.getOutputStream());
                } catch (IOException error) {
                    return;
                }
            }).start();
        }
    }

    static String blockingAsk(String host, int port) throws Exception {
        String refused = failure(() -> new Socket(host, 9));
        String late = failure(() -> {
            Socket socket = new Socket(host, port);
            socket.setSoTimeout(200);
            return socket.getInputStream().read();
        });
        return String.format("{\"good\": %d, \"refused\": \"%s\", \"late\": \"%s\"}", many(host, port, 20), refused, late);
    }

    static void nioServe(String host, int port) throws Exception {
        Selector selector = Selector.open();
        ServerSocketChannel listener = ServerSocketChannel.open();
        listener.bind(new InetSocketAddress(port), 100);
        listener.configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        ready();
        while (true) {
            selector.select();
            for (Iterator<SelectionKey> keys = selector.selectedKeys().iterator(); keys.hasNext(); keys.remove())
                onKey(selector, listener, keys.next());
        }
    }

    static void onKey(Selector selector, ServerSocketChannel listener, SelectionKey key) throws IOException {
        if (key.isAcceptable()) {
            SocketChannel channel = listener.accept();
            channel.configureBlocking(false);
            channel.register(selector, SelectionKey.OP_READ, ByteBuffer.allocate(16384));
            return;
        }
        SocketChannel channel = (SocketChannel) key.channel();
        ByteBuffer buffer = (ByteBuffer) key.attachment();
        try {
            if (key.isReadable() && channel.read(buffer) < 0 && buffer.position() == 0) {
                channel.close();
                return;
            }
            buffer.flip();
            channel.write(buffer);
            buffer.compact();
            key.interestOps(buffer.position() > 0 ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
        } catch (IOException error) {
            channel.close();
        }
    }

    static String nioAsk(String host, int port) throws Exception {
        return String.format("{\"good\": %d}", many(host, port, 50));
    }

    static void httpServe(String host, int port) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(port), 50);
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(200, body.length == 0 ? -1 : body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
        ready();
    }

    static String httpAsk(String host, int port) throws Exception {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        List<CompletableFuture<Boolean>> answers = new ArrayList<>();
        for (int i = 1; i <= 60; i++) {
            byte[] body = new byte[i * 1000];
            HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + host + ":" + port + "/"))
                .POST(HttpRequest.BodyPublishers.ofByteArray(body)).build();
            answers.add(client.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray())
                .thenApply(response -> response.statusCode() == 200 && response.body().length == body.length));
        }
        long good = 0;
        for (CompletableFuture<Boolean> answer : answers) good += answer.get() ? 1 : 0;
        return String.format("{\"good\": %d}", good);
    }

    static void datagramsServe(String host, int port) throws Exception {
        DatagramChannel channel = DatagramChannel.open(StandardProtocolFamily.INET);
        channel.bind(new InetSocketAddress(host, port));
        ready();
        ByteBuffer buffer = ByteBuffer.allocate(65536);
        while (true) {
            SocketAddress from = channel.receive(buffer);
            buffer.flip();
            channel.send(buffer, from);
            buffer.clear();
        }
    }

    static String datagramsAsk(String host, int port) throws Exception {
        int same = 0;
        try (DatagramSocket socket = new DatagramSocket()) {
            socket.connect(new InetSocketAddress(host, port));
            socket.setSoTimeout(2000);
            for (int i = 1; i <= 50; i++)
                for (int attempt = 0; attempt < 5; attempt++)
                    try {
                        socket.send(new DatagramPacket(BLOCK, i * 20));
                        DatagramPacket got = new DatagramPacket(new byte[2000], 2000);
                        socket.receive(got);
                        same += got.getLength() == i * 20 ? 1 : 0;
                        break;
                    } catch (SocketTimeoutException late) {
                        continue;
                    }
        }
        return String.format("{\"same\": %d}", same);
    }

    public static void main(String[] args) throws Exception {
        String host = args[2];
        int port = Integer.parseInt(args[3]);
        switch (args[0] + " " + args[1]) {
            case "blocking serve": blockingServe(host, port); break;
            case "nio serve": nioServe(host, port); break;
            case "http serve": httpServe(host, port); break;
            case "datagrams serve": datagramsServe(host, port); break;
            case "blocking ask": System.out.println(blockingAsk(host, port)); break;
            case "nio ask": System.out.println(nioAsk(host, port)); break;
            case "http ask": System.out.println(httpAsk(host, port)); System.exit(0);
            case "datagrams ask": System.out.println(datagramsAsk(host, port)); break;
            default: throw new IllegalArgumentException(args[0]);
        }
    }
}
