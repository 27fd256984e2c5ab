# SPDX-License-Identifier: BSD-3-Clause
# talk.rb serve|ask ADDRESS PORT: a server with a thread per client that speaks some HTTP, and clients; facts as JSON.
require 'digest'
require 'json'
require 'net/http'
require 'socket'

role, address, port = ARGV
$stdout.sync = true

def answer(client)
  while (request = client.gets)
    length = 0
    while (line = client.gets) && line != "\r\n"
      length = line.split.last.to_i if line.downcase.start_with?('content-length')
    end
    body = client.read(length)
    sleep 5 if request.include?('/slow')
    said = "#{request.split[0]} #{Digest::SHA256.hexdigest(body)}"
    client.write("HTTP/1.1 200 OK\r\nContent-Length: #{said.bytesize}\r\n\r\n#{said}")
  end
rescue Errno::ECONNRESET, Errno::EPIPE
  nil
ensure
  client.close
end

def serve(address, port)
  server = TCPServer.new(address, port)
  puts 'ready'
  loop { Thread.new(server.accept) { |client| answer(client) } }
end

def ask(address, port)
  facts = {}
  body = 'y' * 2_000_000
  want = "POST #{Digest::SHA256.hexdigest(body)}"
  facts[:posted] = Array.new(4) do
    Thread.new { Net::HTTP.start(address, port) { |http| Array.new(5) { http.post('/a', body).body == want } } }
  end.flat_map(&:value).tally
  facts[:got] = Array.new(6) { |i| Net::HTTP.get_response(address, "/#{i}", port).code }
  begin
    Net::HTTP.start(address, port, read_timeout: 0.3, max_retries: 0) { |http| http.get('/slow') }
  rescue StandardError => e
    facts[:slow] = e.class.name
  end
  begin
    TCPSocket.new(address, 9)
  rescue StandardError => e
    facts[:refused] = e.class.name
  end
  sockets = Array.new(5) { TCPSocket.new(address, port) }
  facts[:nothing] = IO.select(sockets, nil, nil, 0.05).nil?
  begin
    sockets[0].read_nonblock(10)
  rescue IO::WaitReadable
    facts[:would_block] = true
  end
  sockets.each { |s| s.write("GET /b HTTP/1.1\r\n\r\n") }
  ready = []
  ready |= IO.select(sockets - ready, nil, nil, 5)[0] while ready.size < 5
  facts[:answers] = sockets.map { |s| s.readpartial(200).lines.first }
  facts[:local] = sockets.all? { |s| s.local_address.ip_port.positive? && s.remote_address.ip_port == port.to_i }
  puts JSON.generate(facts)
end

role == 'serve' ? serve(address, port) : ask(address, port.to_i)
